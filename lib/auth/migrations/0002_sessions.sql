-- Sessions. Who reads this table can't be anybody: the cookie's token is not in it.

CREATE TABLE postfork_sessions (
  key bytea PRIMARY KEY CHECK (octet_length(key) = 32), -- SHA-256 of the token
  data jsonb NOT NULL DEFAULT '{}',
  user_id bigint REFERENCES postfork_users (id) ON DELETE CASCADE,
  user_hash bytea, -- SHA-256 of the user's password column at login: another password ends the session
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((user_id IS NULL) = (user_hash IS NULL))
);

CREATE INDEX postfork_sessions_expires_at ON postfork_sessions (expires_at);
CREATE INDEX postfork_sessions_user_id ON postfork_sessions (user_id) WHERE user_id IS NOT NULL;
