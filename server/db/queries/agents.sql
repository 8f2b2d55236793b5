-- register: a client's own; the same id again replaces what is said of it and keeps its count, switch and health
-- A key that is not named again stays, unless the agent is elsewhere now: it must not be sent to another address.
INSERT INTO agents (tenant_id, agent_id, name, description, agent_type, agent_class, endpoint, capabilities, config,
                    tools, system_prompt, api_key, metadata, origin)
VALUES (%(tenant_id)s, %(agent_id)s, %(name)s, %(description)s, %(agent_type)s, %(agent_class)s, %(endpoint)s,
        %(capabilities)s, %(config)s, %(tools)s, %(system_prompt)s, %(api_key)s, %(metadata)s, 'api')
ON CONFLICT (tenant_id, agent_id) DO UPDATE
SET name = excluded.name, description = excluded.description, agent_type = excluded.agent_type,
    agent_class = excluded.agent_class, endpoint = excluded.endpoint, capabilities = excluded.capabilities,
    config = excluded.config, tools = excluded.tools, system_prompt = excluded.system_prompt,
    metadata = excluded.metadata, updated_at = now(),
    api_key = CASE WHEN %(keeps_key)s AND agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.api_key
                   ELSE excluded.api_key END,
    -- What was known of another address says nothing of this one; and whoever registers again may be back.
    health = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint AND agents.health <> 'unhealthy'
                  THEN agents.health ELSE 'unknown' END,
    health_error = NULL,
    health_seconds = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.health_seconds END,
    checked_at = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.checked_at END,
    failures = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.failures ELSE 0 END,
    open_until = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.open_until END,
    probe_until = CASE WHEN agents.endpoint IS NOT DISTINCT FROM excluded.endpoint THEN agents.probe_until END,
    check_due_at = now()
WHERE agents.origin = 'api'
RETURNING xmax = 0 AS created

-- refresh: agents that this project, a folder or a package brings; a client's agent of the same id is left alone
-- Written only where something is new: every process does this when it starts.
INSERT INTO agents (tenant_id, agent_id, name, description, agent_type, agent_class, endpoint, capabilities, config,
                    tools, system_prompt, metadata, origin)
SELECT %(tenant_id)s, given.*
FROM jsonb_to_recordset(%(agents)s) AS given (agent_id text, name text, description text, agent_type text,
    agent_class text, endpoint text, capabilities text[], config jsonb, tools text[], system_prompt text,
    metadata jsonb, origin text)
ORDER BY given.agent_id
ON CONFLICT (tenant_id, agent_id) DO UPDATE
SET name = excluded.name, description = excluded.description, agent_type = excluded.agent_type,
    agent_class = excluded.agent_class, endpoint = excluded.endpoint, capabilities = excluded.capabilities,
    config = excluded.config, tools = excluded.tools, system_prompt = excluded.system_prompt,
    metadata = excluded.metadata, origin = excluded.origin, updated_at = now(),
    health = CASE WHEN agents.health_error = %(absent)s THEN 'unknown' ELSE agents.health END,
    health_error = NULLIF(agents.health_error, %(absent)s)
WHERE agents.origin <> 'api'
  AND (agents.name, agents.description, agents.agent_type, agents.agent_class, agents.endpoint, agents.capabilities,
       agents.config, agents.tools, agents.system_prompt, agents.metadata, agents.origin,
       agents.health_error IS NOT DISTINCT FROM %(absent)s)
      IS DISTINCT FROM
      (excluded.name, excluded.description, excluded.agent_type, excluded.agent_class, excluded.endpoint,
       excluded.capabilities, excluded.config, excluded.tools, excluded.system_prompt, excluded.metadata,
       excluded.origin, false)

-- mark_absent: agents that a folder brought once and does not bring now
UPDATE agents SET health = 'unhealthy', health_error = %(absent)s, checked_at = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND origin = 'folder' AND agent_id <> ALL (%(agent_ids)s)
  AND health_error IS DISTINCT FROM %(absent)s

-- taken: which of these ids a client has registered
SELECT agent_id FROM agents
WHERE tenant_id = %(tenant_id)s AND agent_id = ANY (%(agent_ids)s) AND origin = 'api'
ORDER BY agent_id

-- get: one, with the calls that are in flight in processes that live
SELECT agents.*, (
    SELECT count(*) FROM agent_runs AS calls JOIN workers USING (worker_id)
    WHERE calls.tenant_id = agents.tenant_id AND calls.agent_id = agents.agent_id AND calls.status = 'running' AND calls.registered
      AND workers.lease_until > now()
) AS running
FROM agents
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s

-- lock: one, for a change
SELECT *, 0 AS running FROM agents WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s FOR UPDATE

-- search: a page by id, beside how many there are in all, which an empty page tells in a row of its own
-- An empty array of capabilities asks for none.
WITH found AS (
    SELECT agents.*, running,
        CASE WHEN NOT enabled THEN 'inactive' WHEN health = 'unhealthy' THEN 'offline'
             WHEN running > 0 THEN 'busy' ELSE 'idle' END AS status
    FROM agents CROSS JOIN LATERAL (
        SELECT count(*) AS running FROM agent_runs AS calls JOIN workers USING (worker_id)
        WHERE calls.tenant_id = agents.tenant_id AND calls.agent_id = agents.agent_id AND calls.status = 'running' AND calls.registered
          AND workers.lease_until > now()
    ) AS calls
    WHERE tenant_id = %(tenant_id)s
      AND capabilities @> %(capabilities)s::text[]
      AND (%(agent_type)s::text IS NULL OR agent_type = %(agent_type)s)
      AND (%(origin)s::text IS NULL OR origin = %(origin)s)
), matching AS (
    SELECT * FROM found
    WHERE %(status)s::text IS NULL OR status = %(status)s OR (%(status)s = 'active' AND enabled)
), page AS (
    SELECT * FROM matching ORDER BY agent_id LIMIT %(limit)s OFFSET %(offset)s
)
SELECT total, page.* FROM (SELECT count(*) AS total FROM matching) AS counted LEFT JOIN page ON true
ORDER BY agent_id

-- find: those that can be called, the least busy first; one whose health check failed comes after all others
-- Whoever names an address is told of an agent there that is switched off, too.
SELECT agents.*, running
FROM agents CROSS JOIN LATERAL (
    SELECT count(*) AS running FROM agent_runs AS calls JOIN workers USING (worker_id)
    WHERE calls.tenant_id = agents.tenant_id AND calls.agent_id = agents.agent_id AND calls.status = 'running' AND calls.registered
      AND workers.lease_until > now()
) AS calls
WHERE tenant_id = %(tenant_id)s AND (enabled OR %(endpoint)s::text IS NOT NULL)
  -- Of these classes one may be registered that is nowhere: it lives by messages.
  AND (endpoint IS NOT NULL OR NOT agent_class = ANY (%(remote)s))
  AND capabilities @> %(capabilities)s::text[]
  AND (%(endpoint)s::text IS NULL OR endpoint = %(endpoint)s)
ORDER BY NOT enabled, health = 'unhealthy', running, message_count, agent_id
LIMIT %(limit)s

-- ids: all
SELECT agent_id FROM agents WHERE tenant_id = %(tenant_id)s ORDER BY agent_id LIMIT %(limit)s

-- enabled: which of these are switched on; all where none are named
SELECT agent_id FROM agents
WHERE tenant_id = %(tenant_id)s AND enabled
  AND (%(agent_ids)s::text[] IS NULL OR agent_id = ANY (%(agent_ids)s))
ORDER BY agent_id

-- capabilities: each with the agents that have it and may be asked
SELECT capability, array_agg(agent_id ORDER BY agent_id) AS agents
FROM agents CROSS JOIN unnest(capabilities) AS capability
WHERE tenant_id = %(tenant_id)s AND enabled
GROUP BY capability
ORDER BY capability

-- types: each with how many agents are of it
SELECT agent_type, count(*) AS agents, count(*) FILTER (WHERE enabled) AS active
FROM agents WHERE tenant_id = %(tenant_id)s GROUP BY agent_type ORDER BY agent_type

-- count_by_status: how many agents there are, by what they do
SELECT status, count(*) AS agents
FROM (
    SELECT CASE WHEN NOT enabled THEN 'inactive' WHEN health = 'unhealthy' THEN 'offline'
                WHEN EXISTS (
                    SELECT 1 FROM agent_runs AS calls JOIN workers USING (worker_id)
                    WHERE calls.tenant_id = agents.tenant_id AND calls.agent_id = agents.agent_id
                      AND calls.status = 'running' AND calls.registered AND workers.lease_until > now()
                ) THEN 'busy' ELSE 'idle' END AS status
    FROM agents WHERE tenant_id = %(tenant_id)s
) AS told
GROUP BY status

-- delete: one; those that this project brings are switched off instead
DELETE FROM agents
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s AND origin <> 'builtin'
RETURNING agent_id

-- set_enabled: switched on, it begins anew: looked at soon, its failures forgotten
UPDATE agents
SET enabled = %(enabled)s, updated_at = now(), check_due_at = now(),
    failures = CASE WHEN %(enabled)s AND NOT enabled THEN 0 ELSE failures END,
    open_until = CASE WHEN %(enabled)s AND NOT enabled THEN NULL ELSE open_until END,
    probe_until = CASE WHEN %(enabled)s AND NOT enabled THEN NULL ELSE probe_until END
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
RETURNING agent_id

-- heartbeat: without an address this is all there is to know of its health; with one that was offline it may be called
-- again, and is looked at now
UPDATE agents
SET heartbeat_at = now(),
    health = CASE WHEN endpoint IS NULL THEN 'healthy' WHEN health = 'unhealthy' THEN 'unknown' ELSE health END,
    health_error = NULL,
    checked_at = CASE WHEN endpoint IS NULL THEN now() ELSE checked_at END,
    check_due_at = CASE WHEN health = 'unhealthy' THEN now() ELSE check_due_at END
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
RETURNING heartbeat_at

-- silence: of any tenant, those without an address that used to say that they live
-- Locked in the order in which whoever counts calls locks them; one that is being written to has its turn next time.
UPDATE agents
SET health = 'unhealthy', checked_at = now(),
    health_error = 'no heartbeat since ' || to_char(heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
WHERE (tenant_id, agent_id) IN (
    SELECT tenant_id, agent_id FROM agents
    WHERE enabled AND endpoint IS NULL AND health <> 'unhealthy'
      AND heartbeat_at < now() - %(silence_seconds)s * interval '1 second'
    ORDER BY tenant_id, agent_id
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING agent_id

-- claim_checks: of any tenant, those whose time has come, for one process alone; each comes again after about an
-- interval, whatever becomes of this look
UPDATE agents
SET check_due_at = now() + %(seconds)s * (0.9 + 0.2 * random()) * interval '1 second'
WHERE (tenant_id, agent_id) IN (
    SELECT tenant_id, agent_id FROM agents
    WHERE enabled AND endpoint IS NOT NULL AND check_due_at <= now()
    ORDER BY check_due_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING tenant_id, agent_id, endpoint

-- record_health: what a look at this address showed; an agent that has moved meanwhile is not meant
UPDATE agents
SET health = %(health)s, health_error = %(error)s, health_seconds = %(seconds)s, checked_at = now()
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s AND endpoint IS NOT DISTINCT FROM %(endpoint)s
RETURNING agent_id

-- may_call: as nodes.agents.breaker.decide has it; past its rest, one caller of all processes is let through (half-open)
WITH trial AS (
    UPDATE agents
    SET probe_until = now() + %(probe_seconds)s * interval '1 second'
    WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
      AND open_until <= now() AND (probe_until IS NULL OR probe_until <= now())
    RETURNING agent_id
)
SELECT failures, open_until, probe_until, now() AS asked_at,
    CASE WHEN open_until IS NULL THEN 'closed' WHEN EXISTS (SELECT 1 FROM trial) THEN 'probe' ELSE 'open' END AS verdict
FROM agents
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s

-- succeeded: an answer closes the breaker, and whoever answers is well; nothing is written where that was so
UPDATE agents
SET failures = 0, open_until = NULL, probe_until = NULL,
    health = CASE WHEN health = 'unhealthy' THEN 'healthy' ELSE health END,
    health_error = NULL
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
  AND (failures > 0 OR open_until IS NOT NULL OR health = 'unhealthy')

-- gave_up: a trial that ended without an answer; somebody else may try
UPDATE agents SET probe_until = NULL
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s AND probe_until IS NOT NULL

-- failed: one more in a row; as nodes.agents.breaker.after_failure has it
UPDATE agents
SET failures = failures + 1,
    open_until = CASE WHEN open_until > now() THEN open_until
                      WHEN failures + 1 >= %(most)s OR open_until IS NOT NULL
                      THEN now() + %(open_seconds)s * interval '1 second' END,
    probe_until = CASE WHEN open_until > now() THEN probe_until END
WHERE tenant_id = %(tenant_id)s AND agent_id = %(agent_id)s
