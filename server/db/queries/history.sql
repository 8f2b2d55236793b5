-- gone: running runs of the foreground whose process has ended; the next run on their thread will record it
-- The rows are chosen first (MATERIALIZED): each look at a worker's lock takes it for the transaction.
WITH held AS MATERIALIZED (
    SELECT run_id, worker_id
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND status = 'running' AND max_attempts = 1
)
SELECT run_id FROM held WHERE pg_try_advisory_xact_lock_shared(worker_id);

-- executions: what `search` and `one` begin with: one row an execution, from the run that it began with to the last
-- Of an execution the last run has both texts: it was told what the first one was asked.
WITH executions AS (
    SELECT first.seq, first.run_id AS execution_id, last.run_id, first.thread_id, first.graph_id, first.assistant_id,
           first.metadata, last.request, last.answer, last.words, last.figures, last.waits, last.error, last.attempt,
           first.created_at, first.started_at, last.finished_at, first.tenant_id,
           first.kwargs -> 'context' AS asked, first.context,
           CASE WHEN last.run_id = ANY (%(gone)s) THEN 'error'
                -- In a terminal a run that stops for an answer is told as interrupted, in the queue as a success.
                WHEN last.status = 'interrupted' AND last.waits AND last.max_attempts = 1 THEN 'success'
                WHEN last.status = 'pending' AND (last.attempt > 0 OR last.run_id <> first.run_id) THEN 'running'
                ELSE last.status END AS run_status
    FROM runs AS first
    LEFT JOIN LATERAL (
        SELECT *
        FROM runs AS other
        WHERE other.continues = first.run_id
        ORDER BY other.seq DESC
        LIMIT 1
    ) AS later ON true
    CROSS JOIN LATERAL (
        SELECT first.run_id, first.status, first.request, first.answer, first.words, first.figures, first.waits, first.error,
               first.attempt, first.max_attempts, first.finished_at
        WHERE later.run_id IS NULL
        UNION ALL
        SELECT later.run_id, later.status, later.request, later.answer, later.words, later.figures, later.waits, later.error,
               later.attempt, later.max_attempts, later.finished_at
        WHERE later.run_id IS NOT NULL
    ) AS last
    WHERE first.continues IS NULL
)

-- search: the newest first
SELECT *
FROM executions
WHERE tenant_id = %(tenant_id)s
  AND (%(before)s::bigint IS NULL OR seq < %(before)s)
  AND (%(ids)s::uuid[] IS NULL OR execution_id = ANY (%(ids)s))
  AND (%(words)s::text IS NULL
       OR coalesce(words, to_tsvector('simple', coalesce(request, ''))) @@ websearch_to_tsquery('simple', %(words)s))
  AND (%(graphs)s::text[] IS NULL OR graph_id = ANY (%(graphs)s))
  AND (%(of_team)s::boolean IS NULL OR graph_id <> 'crew'
       OR (coalesce(metadata ->> 'crew_id', '') = %(team)s) = %(of_team)s)
  AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
  AND (%(crew_id)s::text IS NULL OR metadata ->> 'crew_id' = %(crew_id)s)
  AND (%(flow_id)s::text IS NULL OR metadata ->> 'flow_id' = %(flow_id)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
  AND (%(statuses)s::text[] IS NULL OR run_status = ANY (%(statuses)s))
  AND (%(waits)s::boolean IS NULL OR waits = %(waits)s)
  AND (%(min_score)s::float IS NULL OR (figures ->> 'score')::float >= %(min_score)s)
  AND (%(model)s::text IS NULL
       OR coalesce(figures #>> '{metrics,model_name}', asked ->> 'model', context ->> 'model') = %(model)s)
ORDER BY seq DESC
LIMIT %(limit)s;

-- hits: the executions in whose request or answer words are, at most so many
-- What has ended is found by the index; what is in flight is little, and has no `words` yet.
SELECT coalesce(continues, run_id) AS execution_id
FROM runs
WHERE tenant_id = %(tenant_id)s AND finished_at IS NOT NULL
  AND words @@ websearch_to_tsquery('simple', %(words)s)
UNION ALL
SELECT coalesce(continues, run_id)
FROM runs
WHERE tenant_id = %(tenant_id)s AND status IN ('pending', 'running')
  AND to_tsvector('simple', coalesce(request, '')) @@ websearch_to_tsquery('simple', %(words)s)
LIMIT %(most)s;

-- one: that of which a run is part, by the id of any of its runs
SELECT executions.*, runs.output::text AS output, runs.result
FROM executions
JOIN runs USING (run_id)
WHERE execution_id = (
    SELECT coalesce(continues, run_id) FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s
);

-- parts: the runs of one execution, in order
SELECT run_id, status, kwargs -> 'stream_mode' AS modes, max_attempts = 1 AS foreground
FROM runs
WHERE tenant_id = %(tenant_id)s AND (run_id = %(execution_id)s OR continues = %(execution_id)s)
ORDER BY seq;

-- is_newest: whether a run is the last of its thread
SELECT NOT EXISTS (
    SELECT 1 FROM runs
    WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
      AND seq > (SELECT seq FROM runs WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s)
) AS newest;

-- delete: the runs of an execution, in flight none of them; with their events
DELETE FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = ANY (%(run_ids)s)
  AND (status NOT IN ('pending', 'running') OR run_id = ANY (%(gone)s))
RETURNING run_id;

-- lock_thread: no run is accepted on it from here on
SELECT thread_id FROM threads WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s FOR UPDATE;

-- old: runs of any tenant that ended long ago, the oldest first, and that wait for no answer
-- Runs are made in the order of their numbers: the first that is young enough ends the search.
SELECT run_id, thread_id, created_at
FROM runs
WHERE seq < coalesce(
      (SELECT seq FROM runs WHERE created_at >= now() - %(days)s * interval '1 day' ORDER BY seq LIMIT 1),
      9223372036854775807
  )
  AND finished_at < now() - %(days)s * interval '1 day'
  AND NOT (waits AND NOT EXISTS (
      SELECT 1 FROM runs AS later WHERE later.thread_id = runs.thread_id AND later.tenant_id = runs.tenant_id
        AND later.seq > runs.seq
  ))
ORDER BY seq
LIMIT %(limit)s;

-- lock_threads: those of them that nobody else is at work on
SELECT thread_id FROM threads WHERE thread_id = ANY (%(thread_ids)s) FOR UPDATE SKIP LOCKED;

-- delete_old: these runs, as far as their threads are locked
DELETE FROM runs
WHERE run_id = ANY (%(run_ids)s) AND thread_id = ANY (%(thread_ids)s)
RETURNING tenant_id, run_id, thread_id, created_at;

-- delete_own_threads: of locked threads those made for runs that were deleted, on which nothing else has run
-- Both times are that of the transaction in which they were made.
DELETE FROM threads
USING unnest(%(thread_ids)s::uuid[], %(made_at)s::timestamptz[]) AS was (thread_id, made_at)
WHERE threads.thread_id = was.thread_id AND threads.created_at = was.made_at
  AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id)
RETURNING threads.thread_id;
