-- Tenants, threads and runs. Every table that holds a user's data has tenant_id, and every query takes it.

CREATE TABLE tenants (
    tenant_id  text PRIMARY KEY CHECK (tenant_id <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO tenants (tenant_id) VALUES ('default');

-- thread_id alone is the key: LangGraph's checkpoint tables know a thread by nothing else, so two tenants cannot share one.
CREATE TABLE threads (
    thread_id  uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenants,
    graph_id   text NOT NULL,
    status     text NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, thread_id)
);

CREATE TABLE runs (
    run_id      uuid PRIMARY KEY,
    -- Order of creation: now() is the same for all runs of one transaction and can step back.
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    tenant_id   text NOT NULL,
    thread_id   uuid NOT NULL,
    graph_id    text NOT NULL,
    status      text NOT NULL DEFAULT 'pending'
                CHECK (status IN ('pending', 'running', 'success', 'error', 'interrupted', 'timeout')),
    -- Key of the advisory lock that the process running it holds for as long as it lives.
    worker_id   bigint,
    input       jsonb,
    context     jsonb,
    result      jsonb,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    -- A run cannot be on a thread of another tenant.
    FOREIGN KEY (tenant_id, thread_id) REFERENCES threads (tenant_id, thread_id) ON DELETE CASCADE,
    CHECK (status <> 'running' OR (worker_id IS NOT NULL AND started_at IS NOT NULL)),
    CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL))
);

-- What must never happen: two runs at work on one thread.
CREATE UNIQUE INDEX runs_one_per_thread ON runs (thread_id) WHERE status = 'running';

CREATE INDEX runs_by_thread ON runs (tenant_id, thread_id, seq DESC);
