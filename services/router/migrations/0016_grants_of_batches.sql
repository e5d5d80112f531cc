-- The grant of the token by which an application ordered a batch. `application` is the one whose budget it spends, which
-- may be over while this one lives. '': a key asked, or a version that did not tell.
ALTER TABLE router.batches ADD COLUMN token_grant text NOT NULL DEFAULT '';
