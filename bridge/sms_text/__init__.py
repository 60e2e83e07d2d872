"""The step "text": the texts and subject of a mail become the exact text of an SMS, with its segments and its
cuts.

Owns extraction, cutting, folding and counting. It must not know mails' headers, senders' rules or prices.
"""

from bridge.sms_text.joined import check_more, joined
from bridge.sms_text.make import Costly, Empty, SmsText, TextRule, TooLong, make
from bridge.sms_text.template import check_template

__all__ = [
    "Costly",
    "Empty",
    "SmsText",
    "TextRule",
    "TooLong",
    "check_more",
    "check_template",
    "joined",
    "make",
]
