"""What we tell senders about their SMS, and when. Pure: no templates, no SMTP."""
