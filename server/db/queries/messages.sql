-- ensure_queues: each receiver has a row to lock; in order, so that no two writers wait for each other
INSERT INTO agent_queues (tenant_id, agent_id)
SELECT tenant_id, agent_id
FROM unnest(%(tenants)s::text[], %(agents)s::text[]) AS given (tenant_id, agent_id)
ORDER BY 1, 2
ON CONFLICT DO NOTHING;

-- lock_queues: how many wait for each; nobody else raises or lowers that before the transaction ends
SELECT tenant_id, agent_id, depth
FROM agent_queues
WHERE (tenant_id, agent_id) IN (SELECT * FROM unnest(%(tenants)s::text[], %(agents)s::text[]))
ORDER BY tenant_id, agent_id
FOR UPDATE;

-- recount: queues that are locked; runs and old messages are deleted without telling the queues
UPDATE agent_queues
SET depth = (
    SELECT count(*)
    FROM agent_messages
    WHERE tenant_id = agent_queues.tenant_id AND to_agent = agent_queues.agent_id
      AND delivered_at IS NULL AND kept_for IS NULL
)
WHERE (tenant_id, agent_id) IN (SELECT * FROM unnest(%(tenants)s::text[], %(agents)s::text[]))
RETURNING tenant_id, agent_id, depth;

-- hold_runs: those of these that there are; they stay until the transaction ends
SELECT tenant_id, run_id FROM runs WHERE run_id = ANY (%(run_ids)s) ORDER BY run_id FOR KEY SHARE;

-- hold_messages: requests that are answered and messages that change, before any queue is locked, as a claim has it;
-- whether a sender waits for a reply stays so until the transaction ends
SELECT tenant_id, message_id, from_agent, awaited
FROM agent_messages
WHERE message_id = ANY (%(answered)s) AND awaited OR message_id = ANY (%(changed)s)
ORDER BY message_id
FOR NO KEY UPDATE;

-- stored_messages: those of these that are there already
SELECT tenant_id, message_id FROM agent_messages WHERE message_id = ANY (%(message_ids)s);

-- store: messages, each once by its id; the queues that they wait in, which are locked, grow by them
WITH stored AS (
    INSERT INTO agent_messages (
        tenant_id, message_id, execution_id, from_agent, to_agent, topic, priority, payload, metadata,
        reply_to, awaited, kept_for, created_at, delivered_at
    )
    SELECT tenant_id, message_id, execution_id, from_agent, to_agent, topic, priority, payload, metadata,
           reply_to, awaited, kept_for, created_at, CASE WHEN delivered THEN clock_timestamp() END
    FROM json_to_recordset(%(messages)s::json) AS given (
        tenant_id text, message_id uuid, execution_id uuid, from_agent text, to_agent text, topic text,
        priority smallint, payload jsonb, metadata jsonb, reply_to uuid, awaited boolean, kept_for uuid,
        created_at timestamptz, delivered boolean
    )
    ON CONFLICT (message_id) DO NOTHING
    RETURNING tenant_id, to_agent, delivered_at, kept_for
), more AS (
    SELECT tenant_id, to_agent, count(*) AS count
    FROM stored
    WHERE delivered_at IS NULL AND kept_for IS NULL
    GROUP BY tenant_id, to_agent
)
UPDATE agent_queues
SET depth = depth + more.count
FROM more
WHERE agent_queues.tenant_id = more.tenant_id AND agent_queues.agent_id = more.to_agent;

-- release: messages that were handed over to somebody who had left; they wait again, in their old places
WITH released AS (
    UPDATE agent_messages
    SET delivered_at = NULL, kept_for = NULL
    WHERE message_id = ANY (%(message_ids)s) AND delivered_at IS NOT NULL
    RETURNING tenant_id, to_agent
), more AS (
    SELECT tenant_id, to_agent, count(*) AS count
    FROM released
    GROUP BY tenant_id, to_agent
)
UPDATE agent_queues
SET depth = depth + more.count
FROM more
WHERE agent_queues.tenant_id = more.tenant_id AND agent_queues.agent_id = more.to_agent;

-- give_up: nobody waits for the replies to these any more; one that comes goes into the queue as any message
WITH ended AS (
    UPDATE agent_messages SET awaited = false WHERE message_id = ANY (%(message_ids)s)
), late AS (
    UPDATE agent_messages
    SET kept_for = NULL
    WHERE kept_for = ANY (%(message_ids)s) AND delivered_at IS NULL
    RETURNING tenant_id, to_agent
), more AS (
    SELECT tenant_id, to_agent, count(*) AS count
    FROM late
    GROUP BY tenant_id, to_agent
)
UPDATE agent_queues
SET depth = depth + more.count
FROM more
WHERE agent_queues.tenant_id = more.tenant_id AND agent_queues.agent_id = more.to_agent;

-- notify: other processes look
SELECT pg_notify(%(channel)s, payload) FROM unnest(%(payloads)s::text[]) AS said (payload);

-- claim: the most urgent messages of a queue, the oldest first; each goes to one caller
WITH picked AS (
    SELECT message_id
    FROM agent_messages
    WHERE tenant_id = %(tenant_id)s AND to_agent = %(agent_id)s AND delivered_at IS NULL AND kept_for IS NULL
    ORDER BY priority DESC, seq
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE agent_messages
    SET delivered_at = clock_timestamp()
    FROM picked
    WHERE agent_messages.message_id = picked.message_id
    RETURNING agent_messages.*
), lowered AS (
    UPDATE agent_queues
    SET depth = greatest(0, depth - gone.count)
    FROM (SELECT count(*) AS count FROM taken) AS gone
    WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s AND gone.count > 0
    RETURNING depth
)
SELECT message_id, execution_id, from_agent, to_agent, topic, priority, payload, metadata, reply_to,
       created_at AS timestamp, extract(epoch FROM delivered_at - written_at)::float8 AS waited,
       coalesce((SELECT depth > 0 FROM lowered), false) AS more
FROM taken
ORDER BY priority DESC, seq;

-- claim_reply: the reply that is kept for a request
UPDATE agent_messages
SET delivered_at = clock_timestamp()
WHERE message_id IN (
    SELECT message_id
    FROM agent_messages
    WHERE tenant_id = %(tenant_id)s AND kept_for = %(request_id)s AND delivered_at IS NULL
    ORDER BY seq
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING message_id, execution_id, from_agent, to_agent, topic, priority, payload, metadata, reply_to,
          created_at AS timestamp, extract(epoch FROM delivered_at - written_at)::float8 AS waited, false AS more;

-- waiting: of these agents those for whom something waits
SELECT tenant_id, agent_id
FROM unnest(%(tenants)s::text[], %(agents)s::text[]) AS asked (tenant_id, agent_id)
WHERE EXISTS (
    SELECT
    FROM agent_messages
    WHERE agent_messages.tenant_id = asked.tenant_id AND to_agent = agent_id
      AND delivered_at IS NULL AND kept_for IS NULL
);

-- answered: of these requests those whose reply waits
SELECT tenant_id, kept_for
FROM agent_messages
WHERE kept_for = ANY (%(request_ids)s) AND delivered_at IS NULL;

-- history: the newest messages of an execution, oldest first
SELECT message_id, execution_id, from_agent, to_agent, topic, priority, payload, metadata, reply_to,
       created_at AS timestamp
FROM (
    SELECT *
    FROM agent_messages
    WHERE tenant_id = %(tenant_id)s AND execution_id = %(execution_id)s
    ORDER BY seq DESC
    LIMIT %(limit)s
) AS newest
-- What a graph's edges carried is written when the step has ended, after what was said in it.
ORDER BY created_at, seq;

-- has_run: whether an execution is there
SELECT 1 FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(execution_id)s;

-- subscribe: once for each topic and content
INSERT INTO agent_subscriptions (tenant_id, agent_id, topic, content)
VALUES (%(tenant_id)s, %(agent_id)s, %(topic)s, %(content)s)
ON CONFLICT DO NOTHING;

-- count_subscriptions: of an agent
SELECT count(*) AS count FROM agent_subscriptions WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s;

-- unsubscribe: from a topic, or from all
DELETE FROM agent_subscriptions
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
  AND (%(topic)s::text IS NULL OR topic = %(topic)s::text)
RETURNING subscription_id;

-- subscribers: who is to hear of a message, but for its sender
SELECT DISTINCT agent_id
FROM agent_subscriptions
WHERE tenant_id = %(tenant_id)s AND agent_id <> %(from_agent)s
  AND (topic IS NULL OR topic = %(topic)s::text)
  AND (content IS NULL OR %(payload)s::jsonb @> content)
ORDER BY agent_id;

-- everybody: registered agents in service, but for the sender
SELECT agent_id
FROM agents
WHERE tenant_id = %(tenant_id)s AND enabled AND agent_id <> %(from_agent)s
ORDER BY agent_id;

-- depths: the longest queues
SELECT agent_id, depth
FROM agent_queues
WHERE tenant_id = %(tenant_id)s AND depth > 0
ORDER BY depth DESC, agent_id
LIMIT %(limit)s;

-- sweep: messages of every tenant that are older than they are kept; returns the queues that some waited in
WITH doomed AS (
    SELECT message_id
    FROM agent_messages
    WHERE written_at < now() - %(days)s * interval '1 day'
    ORDER BY written_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM agent_messages
    USING doomed
    WHERE agent_messages.message_id = doomed.message_id
    RETURNING tenant_id, to_agent, delivered_at IS NULL AND kept_for IS NULL AS waited
)
SELECT tenant_id, to_agent AS agent_id, bool_or(waited) AS waited, count(*) AS count
FROM gone
GROUP BY tenant_id, to_agent;
