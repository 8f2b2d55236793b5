-- The Agent Server: assistants, threads as its clients know them, the durable queue of runs, their events, crons, webhooks.

CREATE TABLE assistants (
    tenant_id    text NOT NULL REFERENCES tenants,
    assistant_id uuid NOT NULL,
    graph_id     text NOT NULL,
    version      integer NOT NULL DEFAULT 1,
    name         text NOT NULL,
    description  text,
    config       jsonb NOT NULL DEFAULT '{}',
    context      jsonb NOT NULL DEFAULT '{}',
    metadata     jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    -- Each tenant has its own row of a graph's system assistant, whose id comes from the graph's name alone.
    PRIMARY KEY (tenant_id, assistant_id)
);

CREATE INDEX assistants_by_graph ON assistants (tenant_id, graph_id);
CREATE INDEX assistants_by_metadata ON assistants USING gin (metadata jsonb_path_ops);

CREATE TABLE assistant_versions (
    tenant_id    text NOT NULL,
    assistant_id uuid NOT NULL,
    version      integer NOT NULL,
    graph_id     text NOT NULL,
    name         text NOT NULL,
    description  text,
    config       jsonb NOT NULL,
    context      jsonb NOT NULL,
    metadata     jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assistant_id, version),
    FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants ON DELETE CASCADE
);

ALTER TABLE threads
    -- A thread made by a client has no graph before its first run.
    ALTER COLUMN graph_id DROP NOT NULL,
    ADD COLUMN config           jsonb NOT NULL DEFAULT '{}',
    -- The last state, as clients search and list it; the checkpoints hold the truth.
    ADD COLUMN "values"         jsonb,
    ADD COLUMN interrupts       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN error            jsonb,
    ADD COLUMN state_updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN ttl_strategy     text CHECK (ttl_strategy IN ('delete', 'keep_latest')),
    ADD COLUMN ttl_minutes      double precision CHECK (ttl_minutes > 0),
    ADD COLUMN expires_at       timestamptz,
    -- Made for one stateless run: gone from every list once that run has ended, deleted when it expires.
    ADD COLUMN temporary        boolean NOT NULL DEFAULT false;

CREATE INDEX threads_by_metadata ON threads USING gin (metadata jsonb_path_ops);
CREATE INDEX threads_by_age ON threads (tenant_id, created_at);
CREATE INDEX threads_that_expire ON threads (expires_at) WHERE expires_at IS NOT NULL;

-- One row a process that runs runs. It also holds the advisory lock on its id for as long as it lives.
CREATE TABLE workers (
    worker_id    bigint PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    lease_until  timestamptz NOT NULL
);

CREATE SEQUENCE lease_tokens;

ALTER TABLE runs
    ADD COLUMN assistant_id       uuid,
    ADD COLUMN metadata           jsonb NOT NULL DEFAULT '{}',
    -- What the run was asked with, as its client sent it; json and not jsonb: order and text stay.
    ADD COLUMN kwargs             json NOT NULL DEFAULT '{}',
    ADD COLUMN multitask_strategy text NOT NULL DEFAULT 'enqueue'
               CHECK (multitask_strategy IN ('reject', 'enqueue', 'interrupt', 'rollback')),
    ADD COLUMN updated_at         timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN due_at             timestamptz NOT NULL DEFAULT now(),
    -- The next pending run of a thread on which nothing runs: what workers claim, so that no queue hides another.
    ADD COLUMN ready              boolean NOT NULL DEFAULT false,
    -- Grows with every claim; a write that carries an older one is refused.
    ADD COLUMN lease_token        bigint,
    ADD COLUMN attempt            integer NOT NULL DEFAULT 0,
    -- 1: a foreground run, which its caller resumes; nobody takes it over.
    ADD COLUMN max_attempts       integer NOT NULL DEFAULT 1,
    ADD COLUMN cancel             text CHECK (cancel IN ('interrupt', 'rollback')),
    ADD COLUMN resumable          boolean NOT NULL DEFAULT false,
    ADD COLUMN output             json,
    ADD CHECK (NOT ready OR status = 'pending');

CREATE INDEX runs_to_claim ON runs (due_at, seq) WHERE ready;
CREATE INDEX runs_in_flight ON runs (thread_id, due_at, seq) WHERE status IN ('pending', 'running');
CREATE INDEX runs_by_worker ON runs (worker_id) WHERE status = 'running';

-- The events of a run in order, a batch a row. One line an event: its name, a space, its data as JSON.
CREATE TABLE run_events (
    tenant_id text NOT NULL,
    run_id    uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL,
    lines     bytea NOT NULL,
    PRIMARY KEY (run_id, first_seq),
    CHECK (last_seq >= first_seq)
);

CREATE TABLE crons (
    tenant_id        text NOT NULL REFERENCES tenants,
    cron_id          uuid PRIMARY KEY,
    assistant_id     uuid NOT NULL,
    thread_id        uuid REFERENCES threads ON DELETE CASCADE,
    user_id          text NOT NULL DEFAULT '',
    schedule         text NOT NULL,
    timezone         text,
    end_time         timestamptz,
    payload          json NOT NULL,
    metadata         jsonb NOT NULL DEFAULT '{}',
    on_run_completed text CHECK (on_run_completed IN ('delete', 'keep')),
    enabled          boolean NOT NULL DEFAULT true,
    next_run_date    timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants ON DELETE CASCADE
);

CREATE INDEX crons_by_thread ON crons (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX crons_by_tenant ON crons (tenant_id, created_at);
CREATE INDEX crons_to_start ON crons (next_run_date) WHERE enabled;

-- Written with the outcome of a run, so that no ended run forgets its webhook; deleted when delivered or given up.
CREATE TABLE webhook_deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES tenants,
    run_id      uuid NOT NULL,
    url         text NOT NULL,
    body        json NOT NULL,
    attempt     integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX webhooks_due ON webhook_deliveries (due_at);

-- The first label of every namespace in LangGraph's store is the tenant from now on. LangGraph makes its tables after
-- our migrations, so in a new database there is nothing to do; vectors refer to items without a way to follow them.
DO $$
BEGIN
    IF to_regclass('store') IS NULL THEN
        RETURN;
    END IF;
    IF to_regclass('store_vectors') IS NOT NULL THEN
        ALTER TABLE store_vectors DROP CONSTRAINT IF EXISTS store_vectors_prefix_key_fkey;
        UPDATE store_vectors SET prefix = 'default.' || prefix;
    END IF;
    UPDATE store SET prefix = 'default.' || prefix;
    IF to_regclass('store_vectors') IS NOT NULL THEN
        ALTER TABLE store_vectors ADD CONSTRAINT store_vectors_prefix_key_fkey
            FOREIGN KEY (prefix, key) REFERENCES store (prefix, key) ON DELETE CASCADE;
    END IF;
    IF to_regclass('lab_embed_again') IS NOT NULL THEN
        UPDATE lab_embed_again SET prefix = 'default.' || prefix;
    END IF;
END $$;

-- The pending writes of a checkpoint as they were before a run that did not make it wrote to it, an answer to an
-- interrupt for example: what a rollback of that run puts back.
CREATE TABLE writes_before_run (
    run_id        uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    thread_id     text NOT NULL,
    checkpoint_ns text NOT NULL,
    checkpoint_id text NOT NULL,
    writes        jsonb NOT NULL,
    PRIMARY KEY (run_id, checkpoint_ns, checkpoint_id)
);

CREATE INDEX writes_before_run_by_thread ON writes_before_run (thread_id);
