-- jobs: what the other queries here begin with: one row a job, from the run that it began with to the last of it
-- A run that brings an answer to an interrupt belongs to the job of the run before it on its thread. `waits`: its last
-- run stopped for an answer, so that there is no result. Its output is read only where it may have: while nothing has
-- gone on on the thread since, the thread's status rules that out for nearly all.
WITH jobs AS (
    SELECT first.run_id AS job_id, first.seq, first.thread_id, first.graph_id, first.assistant_id, first.metadata,
           first.created_at, first.started_at, last.run_id, last.finished_at, last.error, last.attempt, later.run_id AS next,
           CASE WHEN last.status = 'pending' AND (last.attempt > 0 OR last.run_id <> first.run_id) THEN 'running'
                ELSE last.status END AS run_status,
           CASE WHEN last.status <> 'success' THEN false
                WHEN later.run_id IS NULL
                     AND (SELECT status <> 'interrupted' FROM threads WHERE threads.thread_id = first.thread_id)
                THEN false
                ELSE coalesce(json_typeof(last.output -> 'result'), 'null') = 'null' END AS waits
    FROM runs AS first
    LEFT JOIN LATERAL (
        SELECT run_id, seq
        FROM runs AS other
        WHERE other.tenant_id = first.tenant_id AND other.thread_id = first.thread_id AND other.seq > first.seq
          AND other.kwargs #>> '{command,resume}' IS NULL
        ORDER BY other.seq
        LIMIT 1
    ) AS later ON true
    JOIN LATERAL (
        SELECT *
        FROM runs AS other
        WHERE other.tenant_id = first.tenant_id AND other.thread_id = first.thread_id AND other.seq >= first.seq
          AND (later.seq IS NULL OR other.seq < later.seq)
        ORDER BY other.seq DESC
        LIMIT 1
    ) AS last ON true
    WHERE first.tenant_id = %(tenant_id)s AND first.graph_id = ANY (%(graphs)s)
      AND (%(job_id)s::uuid IS NULL OR first.run_id = %(job_id)s)
      AND CASE WHEN EXISTS (SELECT 1 FROM runs AS before
                            WHERE before.tenant_id = first.tenant_id AND before.thread_id = first.thread_id
                              AND before.seq < first.seq)
               THEN first.kwargs #>> '{command,resume}' IS NULL ELSE true END
)

-- get: one job, with what it was asked and what its last run left
SELECT jobs.*, first.kwargs -> 'input' AS input, first.kwargs ->> 'webhook' AS webhook, last.output
FROM jobs
JOIN runs AS first ON first.run_id = jobs.job_id
JOIN runs AS last ON last.run_id = jobs.run_id;

-- search: the newest first, with what they were asked as a text; their input may be large
SELECT jobs.*, json_build_object('query', first.kwargs #> '{input,query}') AS input, first.kwargs ->> 'webhook' AS webhook, NULL AS output
FROM (
    SELECT *
    FROM jobs
    WHERE (%(name)s::text IS NULL OR coalesce(metadata ->> 'crew_id', metadata ->> 'flow_id') = %(name)s)
      AND (%(statuses)s::text[] IS NULL OR run_status = ANY (%(statuses)s))
      AND (%(waits)s::boolean IS NULL OR waits = %(waits)s)
    ORDER BY seq DESC
    LIMIT %(limit)s OFFSET %(offset)s
) AS jobs
JOIN runs AS first ON first.run_id = jobs.job_id
ORDER BY jobs.seq DESC;

-- count: how many `search` would find in all
SELECT count(*) AS count
FROM jobs
WHERE (%(name)s::text IS NULL OR coalesce(metadata ->> 'crew_id', metadata ->> 'flow_id') = %(name)s)
  AND (%(statuses)s::text[] IS NULL OR run_status = ANY (%(statuses)s))
  AND (%(waits)s::boolean IS NULL OR waits = %(waits)s);

-- figures: jobs and the seconds they took, by status and, where `by_name`, by what was executed
SELECT CASE WHEN %(by_name)s THEN graph_id END AS kind,
       CASE WHEN %(by_name)s THEN coalesce(metadata ->> 'crew_id', metadata ->> 'flow_id') END AS name,
       run_status, waits, count(*) AS count,
       avg(seconds) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95, max(created_at) AS last_at,
       count(*) FILTER (WHERE finished_at > now() - interval '1 hour') AS last_hour
FROM (SELECT *, extract(epoch FROM finished_at - started_at)::float AS seconds FROM jobs) AS timed
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4;

-- runs_of: all runs of a job, in order
SELECT other.run_id
FROM jobs
JOIN runs AS other ON other.tenant_id = %(tenant_id)s AND other.thread_id = jobs.thread_id AND other.seq >= jobs.seq
LEFT JOIN runs AS next ON next.run_id = jobs.next
WHERE next.seq IS NULL OR other.seq < next.seq
ORDER BY other.seq;

-- ended_before: jobs that ended longer than `seconds` ago; those that wait for an answer have not
SELECT job_id
FROM jobs
WHERE run_status NOT IN ('pending', 'running') AND NOT waits
  AND finished_at < now() - %(seconds)s * interval '1 second'
ORDER BY seq
LIMIT %(limit)s;

-- give_up: a job that waits for an answer will get none
UPDATE runs
SET status = 'interrupted', error = %(error)s, updated_at = now()
FROM jobs
WHERE runs.run_id = jobs.run_id AND runs.status = 'success' AND jobs.waits
RETURNING runs.run_id;

-- close_dropped: a job that was stopped before it began says so, once
UPDATE runs
SET error = %(error)s
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s
  AND status = 'interrupted' AND started_at IS NULL AND error IS NULL
RETURNING run_id;

-- tell: a webhook's body, to be delivered
INSERT INTO webhook_deliveries (tenant_id, run_id, url, body)
VALUES (%(tenant_id)s, %(run_id)s, %(url)s, %(body)s);

-- delete: runs that have ended
DELETE FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = ANY (%(run_ids)s) AND status NOT IN ('pending', 'running')
RETURNING run_id;

-- is_empty: whether nothing ever ran, or will, on a thread
SELECT NOT EXISTS (
    SELECT 1 FROM runs WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s
) AS empty;

-- kept: messages that are, those between the steps of executions among them
SELECT count(*) AS count FROM agent_messages WHERE tenant_id = %(tenant_id)s;

-- said: of those of the last day who sent and who received them
-- All that are kept would be read row by row, a quarter of a second for 400,000; these are found by their index.
WITH edges AS (
    SELECT from_agent, to_agent, count(*) AS sent, count(delivered_at) AS received,
           count(*) FILTER (WHERE written_at > now() - interval '1 hour') AS sent_lately,
           count(*) FILTER (WHERE delivered_at > now() - interval '1 hour') AS received_lately
    FROM agent_messages
    WHERE tenant_id = %(tenant_id)s AND written_at > now() - interval '1 day'
    GROUP BY from_agent, to_agent
)
SELECT agent_id, sum(sent)::bigint AS sent, sum(received)::bigint AS received,
       sum(sent_lately)::bigint AS sent_lately, sum(received_lately)::bigint AS received_lately
FROM (
    SELECT from_agent AS agent_id, sent, 0 AS received, sent_lately, 0 AS received_lately FROM edges
    UNION ALL
    SELECT to_agent, 0, received, 0, received_lately FROM edges
) AS told
GROUP BY agent_id
ORDER BY sum(sent) + sum(received) DESC, agent_id;
