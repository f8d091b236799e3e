-- Notes, and what was done with them (Django's admin has its django_admin_log).

CREATE TABLE example_notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 500),
  author text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE example_note_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action text NOT NULL CHECK (action IN ('added', 'deleted')),
  text text NOT NULL,
  author text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO example_notes (text, author) VALUES
  ('Connections are opened in a request, after the fork', 'Postfork'),
  ('and closed, or kept for the next one, at request_finished', 'Postfork');
