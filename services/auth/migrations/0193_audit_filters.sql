-- Pages of the audit log of one actor, or of one action, the newest first: without, a rare one reads the whole log.
CREATE INDEX audit_log_actor_seq_idx ON auth.audit_log (actor, seq DESC);
CREATE INDEX audit_log_action_seq_idx ON auth.audit_log (action, seq DESC);
