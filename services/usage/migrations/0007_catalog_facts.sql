-- What the catalogue says about models, pushed by the gateway when it changed: prices with their dates, windows, ends.
-- Nobody's rows, so there is no row security.

CREATE TABLE usage.catalog_models (
    model text PRIMARY KEY,
    family text NOT NULL,
    version text NOT NULL,
    provider text NOT NULL,
    kind text NOT NULL,
    resolved_model text NOT NULL,
    context_length bigint NOT NULL CHECK (context_length >= 0),
    max_output_tokens bigint NOT NULL CHECK (max_output_tokens >= 0),
    shutdown_at timestamptz,
    deprecated_at timestamptz,
    successor text NOT NULL,
    is_offered boolean NOT NULL
);
COMMENT ON COLUMN usage.catalog_models.is_offered IS 'false: it left the catalogue; its prices still explain old rows';

CREATE TABLE usage.catalog_prices (
    model text NOT NULL REFERENCES usage.catalog_models (model),
    valid_from timestamptz NOT NULL,
    version text NOT NULL,
    input_micro_rub_per_1k bigint NOT NULL CHECK (input_micro_rub_per_1k >= 0),
    output_micro_rub_per_1k bigint NOT NULL CHECK (output_micro_rub_per_1k >= 0),
    cached_micro_rub_per_1k bigint CHECK (cached_micro_rub_per_1k >= 0),
    PRIMARY KEY (model, valid_from)
);
COMMENT ON COLUMN usage.catalog_prices.cached_micro_rub_per_1k IS 'null: cached input costs what input costs';

REVOKE DELETE ON usage.catalog_models FROM razvilka_usage;
