"""From mail to decision: who is the sender, may they, which numbers, which text. Pure."""
