-- What the routers tell each other of their circuits, and what an administrator has drained.

-- One row for each circuit that ever opened; the newest word of any router stays. Read whole, every few seconds.
CREATE TABLE router.circuits (
    provider text NOT NULL,
    credential text NOT NULL,
    -- Empty: the credential itself.
    model text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'closed')),
    cause text NOT NULL,
    openings integer NOT NULL CHECK (openings >= 0),
    changed_at timestamptz NOT NULL,
    -- When an open circuit may be probed.
    until timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (provider, credential, model)
);

-- Where nothing is sent to; an empty credential or model stands for all of them. Read whole, every few seconds.
CREATE TABLE router.drains (
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 128),
    credential text NOT NULL CHECK (length(credential) <= 128),
    model text NOT NULL CHECK (length(model) <= 128),
    reason text NOT NULL CHECK (length(reason) <= 500),
    drained_by text NOT NULL,
    drained_at timestamptz NOT NULL,
    PRIMARY KEY (provider, credential, model)
);
