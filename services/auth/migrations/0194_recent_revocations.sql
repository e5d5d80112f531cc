-- What each gateway asks every two seconds: what ended in the last ones, not all that ended within an hour.
CREATE INDEX revocations_revoked_at_idx ON auth.revocations (revoked_at);
