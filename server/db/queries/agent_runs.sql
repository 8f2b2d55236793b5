-- write: calls as they stand now, those that have ended among them; may come again, in any order
-- A call of a run that was deleted meanwhile goes nowhere. Each call counts once for its agent, where that is registered; their rows are locked
-- in one order by all processes. Where another worker had begun the same step before, it has lost it.
WITH given AS (
    SELECT * FROM unnest(%(agent_run_ids)s::uuid[], %(run_ids)s::uuid[], %(steps)s::text[], %(agent_ids)s::text[],
        %(agent_names)s::text[], %(agent_classes)s::text[], %(attempts)s::int[], %(statuses)s::text[],
        %(errors)s::text[], %(input_tokens)s::bigint[], %(output_tokens)s::bigint[], %(started)s::timestamptz[],
        %(ended)s::timestamptz[], %(registered)s::boolean[])
    AS given (agent_run_id, run_id, step, agent_id, agent_name, agent_class, attempt, status, error, input_tokens,
        output_tokens, started_at, ended_at, registered)
), there AS (
    SELECT run_id FROM runs
    WHERE tenant_id = %(tenant_id)s AND run_id = ANY (%(run_ids)s)
    ORDER BY run_id
    FOR KEY SHARE
), lost AS (
    UPDATE agent_runs
    SET status = 'failed', error = 'its worker was lost', ended_at = now()
    WHERE agent_run_id IN (
        SELECT earlier.agent_run_id FROM agent_runs AS earlier JOIN given USING (run_id, step)
        WHERE earlier.status = 'running' AND earlier.worker_id <> %(worker_id)s
          AND earlier.tenant_id = %(tenant_id)s AND earlier.started_at < given.started_at
        -- Never waited for: whoever is ending it may wait for the agents' rows that are locked here.
        FOR NO KEY UPDATE OF earlier SKIP LOCKED
    )
), written AS (
    INSERT INTO agent_runs (tenant_id, agent_run_id, run_id, step, agent_id, agent_name, agent_class, attempt,
                            worker_id, status, error, input_tokens, output_tokens, started_at, ended_at, registered)
    SELECT %(tenant_id)s, agent_run_id, run_id, step, agent_id, agent_name, agent_class, attempt, %(worker_id)s,
        status, error, input_tokens, output_tokens, started_at, ended_at, registered
    FROM given
    WHERE run_id IS NULL OR run_id IN (SELECT run_id FROM there)
    ON CONFLICT (agent_run_id) DO UPDATE
    SET status = excluded.status, error = excluded.error, input_tokens = excluded.input_tokens,
        output_tokens = excluded.output_tokens, ended_at = excluded.ended_at
    WHERE excluded.status <> 'running'
    RETURNING agent_id, registered, xmax = 0 AS is_new
), counted AS (
    SELECT agent_id, count(*) AS calls FROM written WHERE is_new AND registered GROUP BY agent_id
), known AS (
    SELECT agent_id FROM agents
    WHERE tenant_id = %(tenant_id)s AND agent_id IN (SELECT agent_id FROM counted)
    ORDER BY agent_id
    FOR NO KEY UPDATE
)
UPDATE agents
SET message_count = message_count + counted.calls
FROM counted JOIN known USING (agent_id)
WHERE agents.tenant_id = %(tenant_id)s AND agents.agent_id = counted.agent_id

-- of_run: the calls of one run, in the order in which they began
SELECT agent_run_id, run_id, step, agent_id, agent_name, agent_class, attempt, status, error, input_tokens, output_tokens,
    started_at, ended_at, registered,
    status = 'running' AND NOT EXISTS (
        SELECT 1 FROM workers WHERE workers.worker_id = agent_runs.worker_id AND lease_until > now()
    ) AS lost
FROM agent_runs
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s
ORDER BY started_at, agent_run_id
LIMIT %(limit)s

-- figures: of each agent since a moment, the most called first
SELECT agent_id, max(agent_class) AS agent_class, count(*) AS calls,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'running') AS running,
    avg(seconds) AS mean_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,
    sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens
FROM (
    SELECT *, extract(epoch FROM ended_at - started_at)::double precision AS seconds
    FROM agent_runs
    WHERE tenant_id = %(tenant_id)s AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
) AS called
GROUP BY agent_id
ORDER BY calls DESC, agent_id
LIMIT %(limit)s

-- close_lost: of any tenant, calls whose worker is gone and that nobody will end
UPDATE agent_runs
SET status = 'failed', error = 'its worker was lost', ended_at = now()
WHERE agent_run_id IN (
    SELECT agent_run_id FROM agent_runs
    WHERE status = 'running'
      AND NOT EXISTS (
          SELECT 1 FROM workers
          WHERE workers.worker_id = agent_runs.worker_id AND lease_until > now() - interval '1 minute'
      )
    FOR NO KEY UPDATE SKIP LOCKED
)

-- forget: of any tenant, old calls outside of any run; those of a run go with it
DELETE FROM agent_runs WHERE run_id IS NULL AND started_at < now() - %(days)s * interval '1 day'
