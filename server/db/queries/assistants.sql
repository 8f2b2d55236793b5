-- insert: a new assistant; no row when the id is taken
INSERT INTO assistants (tenant_id, assistant_id, graph_id, name, description, config, context, metadata)
VALUES (%(tenant_id)s, %(assistant_id)s, %(graph_id)s, %(name)s, %(description)s, %(config)s, %(context)s, %(metadata)s)
ON CONFLICT DO NOTHING
RETURNING *;

-- insert_system: the assistants of the application's graphs that are not there yet, in the application's order
WITH made AS (
    INSERT INTO assistants (tenant_id, assistant_id, graph_id, name, description, metadata, created_at, updated_at)
    SELECT %(tenant_id)s, assistant_id, graph_id, name, description, %(metadata)s, made_at, made_at
    FROM (
        SELECT listed.*, now() + ordinality * interval '1 microsecond' AS made_at
        FROM unnest(%(assistant_ids)s::uuid[], %(graph_ids)s::text[], %(names)s::text[], %(descriptions)s::text[])
            WITH ORDINALITY AS listed (assistant_id, graph_id, name, description, ordinality)
    ) AS graphs
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO assistant_versions
    (tenant_id, assistant_id, version, graph_id, name, description, config, context, metadata, created_at)
SELECT tenant_id, assistant_id, version, graph_id, name, description, config, context, metadata, created_at
FROM made;

-- record_version: keeps what an assistant is now under its version
INSERT INTO assistant_versions
    (tenant_id, assistant_id, version, graph_id, name, description, config, context, metadata, created_at)
SELECT tenant_id, assistant_id, version, graph_id, name, description, config, context, metadata, updated_at
FROM assistants
WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s;

-- get: one assistant
SELECT * FROM assistants WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s;

-- lock: one assistant that is about to change
SELECT * FROM assistants WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s FOR UPDATE;

-- update: the next version; numbers are never used twice, also after an earlier version was made the latest
UPDATE assistants
SET graph_id = %(graph_id)s, name = %(name)s, description = %(description)s,
    config = %(config)s, context = %(context)s, metadata = %(metadata)s,
    updated_at = clock_timestamp(),
    version = 1 + (
        SELECT max(version) FROM assistant_versions AS kept
        WHERE kept.tenant_id = %(tenant_id)s AND kept.assistant_id = %(assistant_id)s
    )
WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s
RETURNING *;

-- set_latest: an assistant as one of its versions was; no row when there is no such version
UPDATE assistants AS current
SET version = kept.version, graph_id = kept.graph_id, name = kept.name, description = kept.description,
    config = kept.config, context = kept.context, metadata = kept.metadata, updated_at = clock_timestamp()
FROM assistant_versions AS kept
WHERE current.tenant_id = %(tenant_id)s AND current.assistant_id = %(assistant_id)s
    AND kept.tenant_id = current.tenant_id AND kept.assistant_id = current.assistant_id
    AND kept.version = %(version)s
RETURNING current.*;

-- versions: of one assistant, newest first
SELECT * FROM assistant_versions
WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s AND metadata @> %(metadata)s
ORDER BY version DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- delete: with its versions and crons
DELETE FROM assistants WHERE tenant_id = %(tenant_id)s AND assistant_id = %(assistant_id)s RETURNING assistant_id;

-- threads_of: threads whose metadata names the assistant
SELECT thread_id FROM threads
WHERE tenant_id = %(tenant_id)s AND metadata @> jsonb_build_object('assistant_id', %(assistant_id)s::text)
ORDER BY created_at;

-- search: found assistants; equal ones stay in the order in which they were made
SELECT found.*
FROM (
    SELECT *,
        CASE %(sort_by)s
            WHEN 'assistant_id' THEN assistant_id::text
            WHEN 'graph_id' THEN lower(graph_id)
            WHEN 'name' THEN lower(name)
            WHEN 'updated_at' THEN to_char(updated_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
            ELSE to_char(created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
        END COLLATE "C" AS sort_key
    FROM assistants
    WHERE tenant_id = %(tenant_id)s
        AND metadata @> %(metadata)s
        AND (%(graph_id)s::text IS NULL OR graph_id = %(graph_id)s)
        AND (%(name)s::text IS NULL OR strpos(lower(name), lower(%(name)s)) > 0)
) AS found
ORDER BY
    CASE WHEN NOT %(descending)s THEN sort_key END,
    CASE WHEN %(descending)s THEN sort_key END DESC,
    created_at
LIMIT %(limit)s OFFSET %(offset)s;

-- count: how many a search would find in all
SELECT count(*) AS found
FROM assistants
WHERE tenant_id = %(tenant_id)s
    AND metadata @> %(metadata)s
    AND (%(graph_id)s::text IS NULL OR graph_id = %(graph_id)s)
    AND (%(name)s::text IS NULL OR strpos(lower(name), lower(%(name)s)) > 0);
