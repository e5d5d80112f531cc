-- Pushed authorization requests (RFC 9126): an application that sends none through the browser.
ALTER TABLE auth.oauth_clients ADD COLUMN requires_pushed boolean NOT NULL DEFAULT false;
