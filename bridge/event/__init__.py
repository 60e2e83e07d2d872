"""What the vendor says about an SMS, whichever way it came: one value for webhook, poll and vendor mail.

Pure. It knows the vendor's words, documents, dates and prices and what each means; it does not know HTTP,
nor what the news does to an SMS (that is the table in `sms`). Step "event" of the flow.
"""

from bridge.event.document import Fields, Value, normal, read_document, read_form
from bridge.event.fields import from_fields, id_of, is_ours, text_of
from bridge.event.poll import from_received, from_replies, from_status
from bridge.event.values import Event, EventType, News, Source
from bridge.event.words import Word, classify, known_word, sentence, squeezed

__all__ = [
    "Event",
    "EventType",
    "Fields",
    "News",
    "Source",
    "Value",
    "Word",
    "classify",
    "from_fields",
    "from_received",
    "from_replies",
    "from_status",
    "id_of",
    "is_ours",
    "known_word",
    "normal",
    "read_document",
    "read_form",
    "sentence",
    "squeezed",
    "text_of",
]
