-- create_thread: for a run whose thread is missing
INSERT INTO threads (thread_id, tenant_id, temporary, metadata, ttl_strategy, ttl_minutes)
VALUES (%(thread_id)s, %(tenant_id)s, %(temporary)s, %(made_metadata)s, %(ttl_strategy)s, %(ttl_minutes)s)
ON CONFLICT (thread_id) DO NOTHING
RETURNING thread_id;

-- lock_thread: whoever changes which runs of a thread are in flight locks the thread first, then runs
SELECT thread_id, status, interrupts, EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id) AS has_run
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
FOR UPDATE;

-- in_flight: runs of a thread that have not ended, the running one first, then in their order
-- One that has begun and waits for another worker counts as running: there is something to stop or to undo.
SELECT run_id, CASE WHEN attempt > 0 THEN 'running' ELSE status END AS status,
       kwargs -> 'command' -> 'resume' AS resume
FROM runs
WHERE thread_id = %(thread_id)s AND tenant_id = %(tenant_id)s AND status IN ('pending', 'running')
ORDER BY attempt > 0 DESC, due_at, seq;

-- lock_in_flight: the same for who stops or drops them: workers claim runs without locking the thread
SELECT run_id, CASE WHEN attempt > 0 THEN 'running' ELSE status END AS status,
       kwargs -> 'command' -> 'resume' AS resume
FROM runs
WHERE thread_id = %(thread_id)s AND tenant_id = %(tenant_id)s AND status IN ('pending', 'running')
ORDER BY attempt > 0 DESC, due_at, seq
FOR UPDATE;

-- lock_run: how a run stands, and goes on to until the transaction ends; begun and waiting for a worker is running
SELECT CASE WHEN status = 'pending' AND attempt > 0 THEN 'running' ELSE status END AS status
FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s
FOR UPDATE;

-- insert_run: the run, its first event, and its thread, made or there, as busy; `worker_id` where it is claimed at once
WITH before AS (
    -- What a run goes on with that brings nothing new: the run before it, which waits or was cut, as one execution.
    SELECT coalesce(last.continues, last.run_id) AS run_id, last.request
    FROM (SELECT * FROM runs WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s ORDER BY seq DESC LIMIT 1)
         AS last
    WHERE %(goes_on)s AND (last.status <> 'success' OR last.waits)
), added AS (
    INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, assistant_id, status, metadata, kwargs, request, continues,
                      resumable, multitask_strategy, due_at, ready, max_attempts, worker_id, lease_token, attempt, started_at)
    VALUES (%(run_id)s, %(tenant_id)s, %(thread_id)s, %(graph_id)s, %(assistant_id)s,
            CASE WHEN %(worker_id)s::bigint IS NULL THEN 'pending' ELSE 'running' END,
            -- On a thread that was there a run carries what is kept with the thread, and the name of its graph.
            coalesce((SELECT kept.metadata || jsonb_build_object('graph_id', %(graph_id)s::text)
                      FROM threads AS kept
                      WHERE kept.tenant_id = %(tenant_id)s AND kept.thread_id = %(thread_id)s), '{}')
            || %(metadata)s::jsonb,
            %(kwargs)s, coalesce((SELECT request FROM before), %(request)s), (SELECT run_id FROM before),
            %(resumable)s, %(multitask_strategy)s,
            now() + %(after_seconds)s * interval '1 second', %(ready)s, %(max_attempts)s, %(worker_id)s::bigint,
            CASE WHEN %(worker_id)s::bigint IS NOT NULL THEN nextval('lease_tokens') END,
            CASE WHEN %(worker_id)s::bigint IS NULL THEN 0 ELSE 1 END,
            CASE WHEN %(worker_id)s::bigint IS NOT NULL THEN now() END)
    RETURNING *
), said AS (
    INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
    SELECT tenant_id, run_id, 1, 1, %(first_event)s FROM added
), thread AS (
    INSERT INTO threads (thread_id, tenant_id, temporary, status, graph_id, metadata, config, ttl_strategy, ttl_minutes)
    VALUES (%(thread_id)s, %(tenant_id)s, %(temporary)s, 'busy', %(graph_id)s,
            %(made_metadata)s::jsonb || %(thread_metadata)s::jsonb,
            %(assistant_config)s::jsonb || %(run_config)s::jsonb, %(ttl_strategy)s, %(ttl_minutes)s)
    ON CONFLICT (thread_id) DO UPDATE
    SET status = 'busy', updated_at = now(), graph_id = excluded.graph_id,
        metadata = threads.metadata || %(thread_metadata)s::jsonb,
        config = %(assistant_config)s::jsonb || threads.config || %(run_config)s::jsonb
    WHERE threads.tenant_id = excluded.tenant_id
)
SELECT run_id, tenant_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy, created_at,
       updated_at, attempt, resumable, error, cancel, lease_token, %(temporary)s::boolean AS temporary
FROM added;

-- get_run: one run
SELECT runs.run_id, runs.thread_id, runs.assistant_id, runs.graph_id, runs.status, runs.metadata, runs.kwargs,
       runs.multitask_strategy, runs.created_at, runs.updated_at, runs.attempt, runs.resumable, runs.error, runs.cancel,
       threads.temporary
FROM runs JOIN threads USING (tenant_id, thread_id)
WHERE runs.tenant_id = %(tenant_id)s AND runs.run_id = %(run_id)s
  AND (%(thread_id)s::uuid IS NULL OR runs.thread_id = %(thread_id)s);

-- list_runs: of a thread, newest first
SELECT runs.run_id, runs.thread_id, runs.assistant_id, runs.graph_id, runs.status, runs.metadata, runs.kwargs,
       runs.multitask_strategy, runs.created_at, runs.updated_at, runs.attempt, runs.resumable, runs.error, runs.cancel,
       threads.temporary
FROM runs JOIN threads USING (tenant_id, thread_id)
WHERE runs.tenant_id = %(tenant_id)s AND runs.thread_id = %(thread_id)s
  AND (%(status)s::text IS NULL OR runs.status = %(status)s)
ORDER BY runs.seq DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- thread_exists: whether the tenant has it; that of a stateless run is nobody's any more when the run has ended
SELECT 1 AS found
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND NOT (temporary AND status <> 'busy');

-- ids_in_flight: of one thread, or of all
SELECT run_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND status = ANY (%(statuses)s) AND status IN ('pending', 'running')
  AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
ORDER BY seq;

-- thread_of_run: where a run is, and whether it runs
SELECT thread_id, status FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s;

-- ask_to_stop: a running run; its worker does the rest, or the one that takes it over
UPDATE runs
SET cancel = %(action)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND (status = 'running' OR status = 'pending' AND attempt > 0)
  AND cancel IS DISTINCT FROM 'rollback'
RETURNING run_id;

-- delete_run: with its events
DELETE FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND status <> 'running' RETURNING run_id;

-- delete_claimed: a run that is rolled back, by the worker that holds it
DELETE FROM runs
WHERE run_id = %(run_id)s AND status = 'running' AND lease_token = %(token)s
RETURNING run_id;

-- end_pending: one that never started
UPDATE runs
SET status = %(status)s, ready = false, finished_at = now(), updated_at = now(), error = %(error)s
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND status = 'pending'
RETURNING run_id;

-- end_run: by the worker that holds it, with its last events; its thread shows the end, and its next run may start
-- The thread is locked before: what this statement sees as pending is what there is.
WITH over AS (
    UPDATE runs
    SET status = %(status)s, finished_at = now(), updated_at = now(), output = %(output)s::json, error = %(error)s,
        answer = %(answer)s, figures = %(figures)s::jsonb, waits = %(waits)s
    WHERE run_id = %(run_id)s AND status = 'running' AND lease_token = %(token)s
    RETURNING run_id, thread_id, tenant_id
), said AS (
    INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
    SELECT tenant_id, run_id, %(first_seq)s::bigint, %(last_seq)s::bigint, %(lines)s::bytea FROM over
    -- A batch of which nobody knew whether it was kept comes again, and longer.
    ON CONFLICT (run_id, first_seq) DO UPDATE
    SET last_seq = excluded.last_seq, lines = excluded.lines
    WHERE run_events.last_seq < excluded.last_seq
), kept AS (
    -- What a rollback would have put back.
    DELETE FROM writes_before_run WHERE run_id = (SELECT run_id FROM over)
), told AS (
    INSERT INTO webhook_deliveries (tenant_id, run_id, url, body)
    SELECT tenant_id, run_id, %(webhook_url)s::text, %(webhook_body)s::json FROM over
    WHERE %(webhook_url)s::text IS NOT NULL
), next AS (
    UPDATE runs
    SET ready = true
    WHERE run_id = (
        SELECT run_id
        FROM runs
        WHERE thread_id = (SELECT thread_id FROM over) AND status = 'pending'
        ORDER BY due_at, seq
        LIMIT 1
    )
    RETURNING run_id
), thread AS (
    UPDATE threads
    SET status = CASE WHEN EXISTS (SELECT 1 FROM next) THEN 'busy' ELSE %(thread_status)s END, updated_at = now(),
        "values" = CASE WHEN %(has_values)s THEN %(values)s::jsonb ELSE "values" END,
        interrupts = CASE WHEN %(has_values)s THEN %(interrupts)s::jsonb ELSE interrupts END,
        error = %(thread_error)s::jsonb,
        state_updated_at = CASE WHEN %(has_values)s THEN now() ELSE state_updated_at END,
        expires_at = CASE WHEN temporary THEN now() + %(linger_seconds)s * interval '1 second'
                          WHEN ttl_minutes IS NOT NULL THEN now() + ttl_minutes * interval '1 minute'
                          ELSE expires_at END
    WHERE thread_id = (SELECT thread_id FROM over)
)
SELECT EXISTS (SELECT 1 FROM next) AS waiting FROM over;

-- end_lost: a run whose worker is gone
UPDATE runs
SET status = %(status)s, finished_at = now(), updated_at = now(), error = %(error)s
WHERE run_id = %(run_id)s AND status = 'running' AND lease_token = %(token)s
RETURNING run_id, kwargs #>> '{stream_mode,0}' AS mode;

-- add_webhook: what is told of a run that ended without a worker
INSERT INTO webhook_deliveries (tenant_id, run_id, url, body)
VALUES (%(tenant_id)s, %(run_id)s, %(webhook_url)s, %(webhook_body)s);

-- add_events: a batch of a run's events; a batch of which nobody knew whether it was kept may come again, and longer
INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
VALUES (%(tenant_id)s, %(run_id)s, %(first_seq)s, %(last_seq)s, %(lines)s)
ON CONFLICT (run_id, first_seq) DO UPDATE
SET last_seq = excluded.last_seq, lines = excluded.lines
WHERE run_events.last_seq < excluded.last_seq;

-- add_events_of_many: the same for several runs
INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
SELECT * FROM unnest(%s::text[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bytea[])
ON CONFLICT (run_id, first_seq) DO UPDATE
SET last_seq = excluded.last_seq, lines = excluded.lines
WHERE run_events.last_seq < excluded.last_seq;

-- notify: whoever listens in any process
SELECT pg_notify(%(channel)s, %(payload)s);

-- notify_many: the same for several
SELECT pg_notify(channel, payload) FROM unnest(%s::text[], %s::text[]) AS said (channel, payload);

-- add_last_event: after whatever is there
INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
SELECT %(tenant_id)s, %(run_id)s, last + 1, last + 1, %(lines)s
FROM (SELECT coalesce(max(last_seq), 0) AS last FROM run_events WHERE run_id = %(run_id)s) AS said;

-- add_last_event_of_lab: the same for a run that is streamed in the lab's words; nothing for others
INSERT INTO run_events (tenant_id, run_id, first_seq, last_seq, lines)
SELECT %(tenant_id)s, %(run_id)s, last + 1, last + 1, %(lines)s
FROM (SELECT coalesce(max(last_seq), 0) AS last FROM run_events WHERE run_id = %(run_id)s) AS said
WHERE EXISTS (SELECT 1 FROM runs WHERE run_id = %(run_id)s AND kwargs #>> '{stream_mode,0}' = 'lab');

-- make_next_ready: the first pending run of a thread on which nothing runs
UPDATE runs
SET ready = true
WHERE run_id = (
    SELECT run_id
    FROM runs
    WHERE thread_id = %(thread_id)s AND tenant_id = %(tenant_id)s AND status = 'pending'
    ORDER BY due_at, seq
    LIMIT 1
) AND NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = %(thread_id)s AND status = 'running')
  AND status = 'pending'  -- still, where a worker has claimed it meanwhile
RETURNING run_id, due_at <= now() AS due;

-- settle_thread: what a thread shows when a run on it has ended; busy while another waits
UPDATE threads
SET status = CASE WHEN %(busy)s THEN 'busy' ELSE %(thread_status)s END, updated_at = now(),
    "values" = CASE WHEN %(has_values)s THEN %(values)s::jsonb ELSE "values" END,
    interrupts = CASE WHEN %(has_values)s THEN %(interrupts)s::jsonb ELSE interrupts END,
    error = %(thread_error)s::jsonb,
    state_updated_at = CASE WHEN %(has_values)s THEN now() ELSE state_updated_at END,
    expires_at = CASE WHEN temporary THEN now() + %(linger_seconds)s * interval '1 second'
                      WHEN ttl_minutes IS NOT NULL THEN now() + ttl_minutes * interval '1 minute'
                      ELSE expires_at END
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s;

-- claim: pending runs at the head of their thread, at most `slots`, of any tenant
WITH chosen AS (
    SELECT run_id
    FROM runs AS waiting
    WHERE ready AND due_at <= now()
      AND NOT EXISTS (
          SELECT 1 FROM runs AS other WHERE other.thread_id = waiting.thread_id AND other.status = 'running'
      )
      -- Of two that are marked, a delayed one and a later one that was due before, one is claimed.
      AND NOT EXISTS (
          SELECT 1 FROM runs AS other
          WHERE other.thread_id = waiting.thread_id AND other.status = 'pending'
            AND (other.due_at, other.seq) < (waiting.due_at, waiting.seq)
      )
    ORDER BY due_at, seq
    LIMIT %(slots)s
    FOR UPDATE SKIP LOCKED
)
UPDATE runs
SET status = 'running', ready = false, worker_id = %(worker_id)s, lease_token = nextval('lease_tokens'),
    attempt = attempt + 1, started_at = coalesce(started_at, now()), updated_at = now()
FROM chosen, threads
WHERE runs.run_id = chosen.run_id AND threads.thread_id = runs.thread_id
RETURNING runs.run_id, runs.tenant_id, runs.thread_id, runs.assistant_id, runs.graph_id, runs.status, runs.metadata,
          runs.kwargs, runs.multitask_strategy, runs.created_at, runs.updated_at, runs.attempt, runs.resumable,
          runs.error, runs.cancel, runs.lease_token, threads.temporary,
          greatest(0, extract(epoch FROM now() - runs.due_at))::float AS waited_sec;

-- next_due: seconds until the next delayed run is due
SELECT extract(epoch FROM min(due_at) - now())::float AS seconds FROM runs WHERE ready;

-- held: which runs are a worker's own, and which of them were asked to stop
SELECT run_id, tenant_id, thread_id, lease_token, attempt, max_attempts, cancel
FROM runs
WHERE status = 'running' AND worker_id = %(worker_id)s;

-- count_peers: other processes that live
SELECT count(*) AS peers FROM workers WHERE worker_id <> %(worker_id)s AND lease_until > now();

-- lost_runs: running runs, of any tenant, whose worker is dead or was stopped past its lease
-- Dead: it holds its lock no more, and did not merely lose a connection a moment ago.
WITH dead AS MATERIALIZED (
    SELECT worker_id
    FROM (SELECT DISTINCT worker_id FROM runs WHERE status = 'running' AND worker_id <> %(worker_id)s) AS others
    LEFT JOIN workers USING (worker_id)
    WHERE workers.worker_id IS NULL OR workers.lease_until < now()
       OR (workers.heartbeat_at < now() - interval '1 second' AND pg_try_advisory_xact_lock_shared(worker_id))
)
SELECT run_id, tenant_id, thread_id, lease_token, attempt, max_attempts, cancel
FROM runs JOIN dead USING (worker_id)
WHERE status = 'running'
ORDER BY seq
LIMIT 100;

-- put_back: a run to be claimed again; the token of whoever held it is void from here on
UPDATE runs
SET status = 'pending', ready = true, worker_id = NULL, lease_token = nextval('lease_tokens'), updated_at = now(),
    max_attempts = max_attempts + %(uncounted)s
WHERE run_id = %(run_id)s AND status = 'running' AND lease_token = %(token)s
RETURNING run_id;

-- heal: pending runs that head their thread and are not marked so; there are none unless a mark was lost
UPDATE runs AS head
SET ready = true
WHERE status = 'pending' AND NOT ready
  AND NOT EXISTS (
      SELECT 1 FROM runs AS other
      WHERE other.thread_id = head.thread_id
        AND (other.status = 'running'
             OR other.status = 'pending' AND (other.due_at, other.seq) < (head.due_at, head.seq))
  );

-- forget_workers: rows of processes long gone
DELETE FROM workers
WHERE lease_until < now() - interval '1 hour'
  AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.worker_id = workers.worker_id AND status = 'running');

-- last_seq: of a run's events
SELECT coalesce(max(last_seq), 0) AS last FROM run_events WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s;

-- events_after: batches that hold what came after a sequence number
SELECT first_seq, last_seq, lines
FROM run_events
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND last_seq > %(after)s
  -- Where the index is entered: without it a long log is read from its start each time.
  AND first_seq >= coalesce(
      (SELECT max(first_seq) FROM run_events WHERE run_id = %(run_id)s AND first_seq <= %(after)s + 1), 0
  )
ORDER BY first_seq
LIMIT %(limit)s;

-- outcome: how a run stands
SELECT status, output::text AS output, error FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s;

-- calm_thread: nothing is in flight on it any more
UPDATE threads
SET status = CASE WHEN error::json ->> 'error' = 'UserInterrupt' OR interrupts <> '{}' THEN 'interrupted'
                  WHEN error IS NULL OR error::json ->> 'error' = 'UserRollback' THEN 'idle'
                  ELSE 'error' END,
    updated_at = now(),
    expires_at = CASE WHEN temporary THEN now() + %(linger_seconds)s * interval '1 second' ELSE expires_at END
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status = 'busy';
