-- Registered agents, what each call of them came to, and the messages between them.

CREATE TABLE agents (
    tenant_id      text NOT NULL REFERENCES tenants,
    agent_id       text NOT NULL,
    name           text NOT NULL,
    description    text NOT NULL DEFAULT '',
    agent_type     text NOT NULL,
    agent_class    text NOT NULL,
    endpoint       text,
    capabilities   text[] NOT NULL DEFAULT '{}',
    config         jsonb NOT NULL DEFAULT '{}',
    tools          text[] NOT NULL DEFAULT '{}',
    system_prompt  text NOT NULL DEFAULT '',
    -- Sent to the agent; never part of an answer.
    api_key        text,
    metadata       jsonb NOT NULL DEFAULT '{}',
    origin         text NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'builtin', 'folder', 'plugin')),
    enabled        boolean NOT NULL DEFAULT true,
    health         text NOT NULL DEFAULT 'unknown' CHECK (health IN ('unknown', 'healthy', 'unhealthy')),
    health_error   text,
    health_seconds double precision,
    checked_at     timestamptz,
    -- When some process will look again, or has begun to: pollers of several processes share the work.
    check_due_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at   timestamptz,
    message_count  bigint NOT NULL DEFAULT 0,
    -- The circuit breaker, shared by all processes: failures in a row, no call before, one trial at a time.
    failures       integer NOT NULL DEFAULT 0,
    open_until     timestamptz,
    probe_until    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE INDEX agents_by_capability ON agents USING gin (capabilities);
CREATE INDEX agents_to_check ON agents (check_due_at) WHERE enabled AND endpoint IS NOT NULL;

-- One call of one agent. Written in batches beside the run, which does not wait; the checkpoint holds the result.
CREATE TABLE agent_runs (
    tenant_id     text NOT NULL REFERENCES tenants,
    agent_run_id  uuid PRIMARY KEY,
    -- Null: a call outside of any run.
    run_id        uuid REFERENCES runs ON DELETE CASCADE,
    step          text NOT NULL,
    agent_id      text NOT NULL,
    agent_name    text NOT NULL DEFAULT '',
    agent_class   text NOT NULL,
    -- False: one of a crew's own, which may have the id of a registered one.
    registered    boolean NOT NULL DEFAULT true,
    attempt       integer NOT NULL DEFAULT 1,
    -- A call of a worker that is gone counts as lost without being told so.
    worker_id     bigint NOT NULL,
    status        text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed')),
    error         text,
    input_tokens  bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz
);

CREATE INDEX agent_runs_by_run ON agent_runs (run_id);
CREATE INDEX agent_runs_by_agent ON agent_runs (tenant_id, agent_id, started_at);
CREATE INDEX agent_runs_running ON agent_runs (tenant_id, agent_id) WHERE status = 'running';

-- A message to one agent. delivered_at null: it waits in that agent's queue, or for the request that it answers.
CREATE TABLE agent_messages (
    tenant_id    text NOT NULL REFERENCES tenants,
    message_id   uuid PRIMARY KEY,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    execution_id uuid REFERENCES runs ON DELETE CASCADE,
    from_agent   text NOT NULL,
    to_agent     text NOT NULL,
    topic        text,
    priority     smallint NOT NULL,
    payload      jsonb NOT NULL,
    metadata     jsonb NOT NULL,
    reply_to     uuid,
    -- Somebody waits for the reply to this one.
    awaited      boolean NOT NULL DEFAULT false,
    -- A reply that only the sender of this request takes; it is in no queue.
    kept_for     uuid,
    -- As the sender says; written_at is ours, for how long it waited and how long it is kept.
    created_at   timestamptz NOT NULL,
    written_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz
);

CREATE INDEX agent_messages_waiting ON agent_messages (tenant_id, to_agent, priority DESC, seq)
    WHERE delivered_at IS NULL AND kept_for IS NULL;
CREATE INDEX agent_messages_replies ON agent_messages (kept_for) WHERE delivered_at IS NULL AND kept_for IS NOT NULL;
CREATE INDEX agent_messages_by_execution ON agent_messages (execution_id, seq) WHERE execution_id IS NOT NULL;
CREATE INDEX agent_messages_by_age ON agent_messages (written_at);

-- How many wait for an agent: counted in the row, so that a queue of several writers still has a bound.
CREATE TABLE agent_queues (
    tenant_id text NOT NULL REFERENCES tenants,
    agent_id  text NOT NULL,
    depth     integer NOT NULL DEFAULT 0 CHECK (depth >= 0),
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE agent_subscriptions (
    subscription_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants,
    agent_id        text NOT NULL,
    topic           text,
    -- Messages whose payload contains this, as jsonb's @> has it.
    content         jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (topic IS NOT NULL OR content IS NOT NULL)
);

CREATE UNIQUE INDEX agent_subscriptions_once
    ON agent_subscriptions (tenant_id, agent_id, coalesce(topic, ''), md5(coalesce(content::text, '')));

CREATE INDEX runs_by_graph ON runs (tenant_id, graph_id, created_at);
