-- What is unusual about a bill, and what a provider claimed and was not believed.

ALTER TABLE usage.usage
    ADD COLUMN flags text NOT NULL DEFAULT '',
    ADD COLUMN over_hold_micro_rub bigint NOT NULL DEFAULT 0 CHECK (over_hold_micro_rub >= 0),
    DROP CONSTRAINT usage_source_check,
    ADD CONSTRAINT usage_source_check CHECK (source IN ('provider', 'estimated', 'reaped', 'disputed')) NOT VALID;

COMMENT ON COLUMN usage.usage.flags IS 'comma-separated, mostly empty: docs/reliability.md says what each means';
COMMENT ON COLUMN usage.usage.over_hold_micro_rub IS 'by how much the bill exceeds what admission held, micro-roubles';
