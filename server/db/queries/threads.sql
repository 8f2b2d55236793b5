-- create: a thread of a client; no row when the id is taken
INSERT INTO threads (thread_id, tenant_id, metadata, ttl_strategy, ttl_minutes, expires_at)
VALUES (%(thread_id)s, %(tenant_id)s, %(metadata)s, %(ttl_strategy)s, %(ttl_minutes)s,
        now() + %(ttl_minutes)s * interval '1 minute')
ON CONFLICT (thread_id) DO NOTHING
RETURNING *;

-- get: one thread; that of a stateless run is gone for everybody once the run has ended
SELECT *
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND NOT (temporary AND status <> 'busy');

-- patch: metadata is merged key by key, a lifetime replaced where one is given
UPDATE threads
SET metadata = metadata || %(metadata)s, updated_at = clock_timestamp(),
    ttl_strategy = coalesce(%(ttl_strategy)s, ttl_strategy), ttl_minutes = coalesce(%(ttl_minutes)s, ttl_minutes),
    expires_at = coalesce(now() + %(ttl_minutes)s * interval '1 minute', expires_at)
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND NOT (temporary AND status <> 'busy')
RETURNING *;

-- delete: with their runs and what hangs on those
DELETE FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = ANY (%(thread_ids)s) AND NOT (temporary AND status <> 'busy')
RETURNING thread_id;

-- existing: those of these threads that there are
SELECT thread_id
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = ANY (%(thread_ids)s) AND NOT (temporary AND status <> 'busy');

-- search: threads that fit; `sort_key` stands for one of the allowed orders
SELECT thread_id, graph_id, status, metadata, created_at, updated_at, config, interrupts, error, state_updated_at,
       ttl_strategy, ttl_minutes, expires_at, CASE WHEN %(with_values)s THEN "values" END AS "values"
FROM threads
WHERE tenant_id = %(tenant_id)s AND NOT (temporary AND status <> 'busy')
  AND metadata @> %(metadata)s
  AND (%(values)s::jsonb IS NULL OR "values" @> %(values)s)
  -- For Postgres a list contains each of its parts; here a list means that very list, as on the reference server.
  AND NOT EXISTS (
      SELECT 1
      FROM jsonb_to_recordset(%(lists)s) AS listed (within text, path text[], list jsonb)
      WHERE CASE within WHEN 'values' THEN "values" ELSE metadata END #> path IS DISTINCT FROM list
  )
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(ids)s::uuid[] IS NULL OR thread_id = ANY (%(ids)s))
ORDER BY sort_key
LIMIT %(limit)s OFFSET %(offset)s;

-- count: threads that fit
SELECT count(*) AS count
FROM threads
WHERE tenant_id = %(tenant_id)s AND NOT (temporary AND status <> 'busy')
  AND metadata @> %(metadata)s
  AND (%(values)s::jsonb IS NULL OR "values" @> %(values)s)
  -- For Postgres a list contains each of its parts; here a list means that very list, as on the reference server.
  AND NOT EXISTS (
      SELECT 1
      FROM jsonb_to_recordset(%(lists)s) AS listed (within text, path text[], list jsonb)
      WHERE CASE within WHEN 'values' THEN "values" ELSE metadata END #> path IS DISTINCT FROM list
  )
  AND (%(status)s::text IS NULL OR status = %(status)s);

-- copy: a thread's row under another id, as if nothing had run on it yet
INSERT INTO threads (thread_id, tenant_id, graph_id, metadata, "values", ttl_strategy, ttl_minutes, expires_at)
SELECT %(copy_id)s, tenant_id, graph_id, metadata, "values", %(ttl_strategy)s, %(ttl_minutes)s,
       now() + %(ttl_minutes)s * interval '1 minute'
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND NOT (temporary AND status <> 'busy')
RETURNING *;

-- lock: a thread whose state is about to change; whoever admits a run takes the same lock first
SELECT *
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND NOT (temporary AND status <> 'busy')
FOR UPDATE;

-- in_flight: runs of a thread that have not ended
SELECT run_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status IN ('pending', 'running')
ORDER BY seq;

-- set_state: what a thread shows after its state was changed by hand
UPDATE threads
SET status = %(status)s, "values" = %(values)s, interrupts = %(interrupts)s, error = NULL,
    updated_at = clock.moment, state_updated_at = clock.moment,
    expires_at = coalesce(now() + ttl_minutes * interval '1 minute', expires_at)
-- Not the start of the transaction: the thread may have been made in it.
FROM (SELECT clock_timestamp() AS moment) AS clock
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
RETURNING threads.*;

-- expired: threads of every tenant whose time is over, and that no other process works on
SELECT tenant_id, thread_id,
       CASE WHEN temporary THEN 'delete' ELSE coalesce(ttl_strategy, 'delete') END AS strategy
FROM threads
WHERE expires_at <= now() AND status <> 'busy'
ORDER BY expires_at
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- delete_expired: threads that were just locked
DELETE FROM threads WHERE thread_id = ANY (%(thread_ids)s);

-- renew: threads that lost their history only; their time starts again
UPDATE threads
SET expires_at = now() + ttl_minutes * interval '1 minute'
WHERE thread_id = ANY (%(thread_ids)s);
