-- create_thread: the thread of a first run; an existing one is left as it is
INSERT INTO threads (thread_id, tenant_id, graph_id, metadata)
VALUES (%(thread_id)s, %(tenant_id)s, %(graph_id)s, %(metadata)s)
ON CONFLICT (thread_id) DO NOTHING;

-- set_graph: of a thread that a client made and that has run nothing yet
UPDATE threads
SET graph_id = %(graph_id)s, metadata = metadata || %(metadata)s
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND graph_id IS NULL;

-- lock_thread: whoever changes a thread's runs locks the thread first, so that no two wait for each other
SELECT graph_id
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
FOR NO KEY UPDATE;

-- end_dead_runs: running runs of this thread whose worker no longer holds its lock
-- The lock is asked for in shared mode, so two askers never take each other for the worker. The list is made first
-- (MATERIALIZED): the function must see no other rows.
WITH held AS MATERIALIZED (
    SELECT run_id, worker_id
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status = 'running'
)
UPDATE runs
SET status = 'error', error = %(error)s, finished_at = now(), updated_at = now()
FROM held
WHERE runs.run_id = held.run_id
  AND runs.status = 'running'
  AND pg_try_advisory_xact_lock_shared(held.worker_id)
RETURNING runs.run_id;

-- begun_waiting: a run of the queue that has begun on this thread and waits for a worker
SELECT run_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status = 'pending' AND attempt > 0;

-- insert_running: a run that starts at once; runs_one_per_thread refuses a second one
WITH before AS (
    -- What a resumed run goes on with, as one execution.
    SELECT coalesce(last.continues, last.run_id) AS run_id, last.request
    FROM (SELECT * FROM runs WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s ORDER BY seq DESC LIMIT 1)
         AS last
    WHERE %(goes_on)s AND (last.status <> 'success' OR last.waits)
)
INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, assistant_id, status, worker_id, lease_token, attempt, input,
                  context, request, continues, started_at)
VALUES (%(run_id)s, %(tenant_id)s, %(thread_id)s, %(graph_id)s, %(assistant_id)s, 'running', %(worker_id)s,
        nextval('lease_tokens'), 1, %(input)s, %(context)s, coalesce((SELECT request FROM before), %(request)s),
        (SELECT run_id FROM before), now())
RETURNING lease_token;

-- make_next_ready: where runs of the queue wait on a thread, the first of them can be claimed
UPDATE runs
SET ready = true
WHERE run_id = (
    SELECT run_id
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status = 'pending'
    ORDER BY due_at, seq
    LIMIT 1
)
RETURNING run_id;

-- set_thread_status: what it asked before is answered, or is asked by a run that tells its caller alone
UPDATE threads
SET status = %(status)s, updated_at = now(), interrupts = '{}'
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s;

-- running_run: the run at work on a thread
SELECT run_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s AND status = 'running';

-- thread_of_run
SELECT thread_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s;

-- finish_run: only from running, only by the worker that runs it
UPDATE runs
SET status = %(status)s, result = %(result)s, error = %(error)s, finished_at = now(), updated_at = now(),
    answer = %(answer)s, figures = %(figures)s::jsonb, waits = %(waits)s
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND status = 'running' AND worker_id = %(worker_id)s
RETURNING run_id;

-- get_thread: one whose run lost its process is told as error, as the next begin will record it
SELECT thread_id, graph_id, metadata, created_at, updated_at,
       CASE WHEN status = 'busy' AND (
           SELECT pg_try_advisory_xact_lock_shared(worker_id)
           FROM runs
           WHERE runs.tenant_id = threads.tenant_id AND runs.thread_id = threads.thread_id AND runs.status = 'running'
       ) THEN 'error' ELSE status END AS status
FROM threads
WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s;

-- get_run: with whether the process that runs it is gone
SELECT run_id, thread_id, graph_id, status, input, context, result, error, created_at, started_at, finished_at,
       CASE WHEN status = 'running' THEN pg_try_advisory_xact_lock_shared(worker_id) ELSE false END AS abandoned
FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s;

-- newest_run: the last run of a thread, as get_run tells it
WITH newest AS MATERIALIZED (
    SELECT *
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
    ORDER BY seq DESC
    LIMIT 1
)
SELECT run_id, thread_id, graph_id, status, input,
       coalesce(context, (kwargs -> 'context')::jsonb) AS context, result, error, created_at, started_at, finished_at,
       CASE WHEN status = 'running' THEN pg_try_advisory_xact_lock_shared(worker_id) ELSE false END AS abandoned
FROM newest;

-- last_unfinished: of the threads whose newest run did not come to an end, nor waits nor runs, the one with the latest
-- A run of the queue that stopped for an answer is a success; its thread says that it waits.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (thread_id) thread_id, seq, status, worker_id
    FROM runs
    WHERE tenant_id = %(tenant_id)s
    ORDER BY thread_id, seq DESC
)
SELECT threads.thread_id, threads.graph_id, threads.metadata, threads.created_at, threads.updated_at,
       CASE WHEN threads.status = 'busy' THEN 'error' ELSE threads.status END AS status
FROM newest
JOIN threads ON threads.tenant_id = %(tenant_id)s AND threads.thread_id = newest.thread_id
WHERE (newest.status NOT IN ('success', 'pending') OR newest.status = 'success' AND threads.status = 'interrupted')
  AND (%(graph_id)s::text IS NULL OR threads.graph_id = %(graph_id)s)
  AND CASE WHEN newest.status = 'running' THEN pg_try_advisory_xact_lock_shared(newest.worker_id) ELSE true END
ORDER BY newest.seq DESC
LIMIT 1;

-- count_abandoned: running runs, of any tenant, whose process is gone
WITH held AS MATERIALIZED (
    SELECT worker_id
    FROM runs
    WHERE status = 'running'
)
SELECT count(*) AS count
FROM held
WHERE pg_try_advisory_xact_lock_shared(worker_id);
