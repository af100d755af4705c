-- What the batches of falimage-go have in a database.

CREATE TABLE falimage_version (
    version integer PRIMARY KEY,
    made    timestamptz NOT NULL DEFAULT now()
);

-- A batch. Its secret signs the addresses that webhooks call.
CREATE TABLE falimage_batch (
    name   text PRIMARY KEY,
    secret bytea NOT NULL
);

-- An item. What is asked for (request to tags) is missing where only the journal has
-- been told of it, and what became of it (revision to sum) where nothing was sent.
CREATE TABLE falimage_item (
    batch        text NOT NULL,
    key          bytea NOT NULL,
    ordinal      bigint GENERATED ALWAYS AS IDENTITY,
    request      text,             -- its digest
    endpoint     text,
    kind         text,             -- of its jobs in River
    body         bytea,            -- as it is sent, byte by byte
    usage        json,
    tags         json,
    revision     bigint NOT NULL DEFAULT 0,
    state        text,
    row          json,
    sum          bigint,           -- of row
    finished     boolean NOT NULL DEFAULT false,
    job_id       bigint,           -- in River
    lease        text,             -- who works on it
    leased_until timestamptz,
    turn_at      timestamptz,      -- when it may be sent
    PRIMARY KEY (batch, key)
);
CREATE UNIQUE INDEX falimage_item_order ON falimage_item (batch, ordinal);
CREATE INDEX falimage_item_left ON falimage_item (batch, ordinal) WHERE NOT finished AND body IS NOT NULL;

-- When the next request of an account may be sent.
CREATE TABLE falimage_pace (
    account     text PRIMARY KEY,
    next_at     timestamptz NOT NULL,
    paused_until timestamptz NOT NULL
);

-- Money is in billionths of a dollar.
CREATE TABLE falimage_budget (
    name     text PRIMARY KEY,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    billed   bigint NOT NULL DEFAULT 0
);

CREATE TABLE falimage_reservation (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget     text NOT NULL REFERENCES falimage_budget (name),
    name       text NOT NULL,     -- by which another machine takes it up
    request_id text,
    endpoint   text NOT NULL,
    usage      json NOT NULL,
    amount     bigint NOT NULL,   -- set aside
    billed     bigint NOT NULL DEFAULT 0,
    state      text NOT NULL CHECK (state IN ('open', 'settled', 'released')),
    made       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX falimage_reservation_request ON falimage_reservation (budget, request_id);
CREATE UNIQUE INDEX falimage_reservation_open ON falimage_reservation (budget, name) WHERE state = 'open' AND request_id IS NULL;
