"""The proofs that mails show: a real name server, real signatures, whole mails over SMTP."""
