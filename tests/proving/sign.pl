# Puts a DKIM signature on the mail on standard input: DOMAIN SELECTOR KEYFILE CANONICAL-FORM, by Perl's Mail::DKIM.
use strict;
use warnings;
use Mail::DKIM::Signer;

my ($domain, $selector, $key, $form) = @ARGV;
my $signer = Mail::DKIM::Signer->new(
    Algorithm => "rsa-sha256", Method => $form, Domain => $domain, Selector => $selector, KeyFile => $key);
binmode STDIN;
binmode STDOUT;
local $/;
my $mail = <STDIN>;
$signer->PRINT($mail);
$signer->CLOSE;
print $signer->signature->as_string, "\r\n", $mail;
