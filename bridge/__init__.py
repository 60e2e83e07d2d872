"""The Email-to-SMS bridge: mail to a number becomes an SMS; reports and answers come back as mail."""

__version__ = "0.1.0"
