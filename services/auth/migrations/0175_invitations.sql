-- Accounts that another installation brought have no password: who was written to, so that nobody is twice.

ALTER TABLE auth.mailed_tokens
    DROP CONSTRAINT mailed_tokens_purpose_check,
    ADD CONSTRAINT mailed_tokens_purpose_check CHECK (purpose IN ('register', 'email_change', 'reset', 'claim'));

CREATE TABLE auth.invitations (
    user_id text PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
    -- As it was written to: it may change afterwards.
    email text NOT NULL,
    -- No reference: mails are forgotten once they are sent.
    mail_id bigint NOT NULL UNIQUE,
    queued_at timestamptz NOT NULL,
    -- NULL: it waits in auth.mails, or it was sent.
    outcome text CHECK (outcome IN ('refused', 'unneeded', 'given_up'))
);

-- The wall of 0146.
ALTER TABLE auth.invitations ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_named_user ON auth.invitations USING (
    (SELECT coalesce(nullif(current_setting('razvilka.user', true), ''), '*')) IN ('*', user_id)
);
