-- What the client asked to be told of its mail (NOTIFY, ENVID, ORCPT of RFC 3461), as JSON; NULL: what its rule says.
ALTER TABLE mail ADD COLUMN dsn TEXT;
