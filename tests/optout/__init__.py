"""The words by which phones opt out."""
