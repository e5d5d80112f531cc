-- Applications with an end: those that are over are looked for again and again, and deleted.
CREATE INDEX oauth_clients_expires_idx ON auth.oauth_clients (expires_at) WHERE expires_at IS NOT NULL;
