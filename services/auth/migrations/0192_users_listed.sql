-- Pages of accounts, the newest first.
CREATE INDEX users_listed_idx ON auth.users (created_at DESC, id DESC) WHERE deleted_at IS NULL;
