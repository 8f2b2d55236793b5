-- History: what every run was asked and answered, searchable, and which runs are one execution.

ALTER TABLE runs
    -- At most 50,000 characters each. `answer` and `figures` come with a run's end, of one that came to its end.
    ADD COLUMN request   text,
    ADD COLUMN answer    text,
    -- Of its result: score, attempts, kind, language, agents, metrics.
    ADD COLUMN figures   jsonb,
    -- It ended to wait for an answer.
    ADD COLUMN waits     boolean NOT NULL DEFAULT false,
    -- The first run of the execution that this one goes on with: with an answer, or after it was cut or failed.
    ADD COLUMN continues uuid REFERENCES runs ON DELETE SET NULL,
    -- When somebody last began to listen to it.
    ADD COLUMN heard_at  timestamptz;

-- What is known of the runs that there are. A value that Postgres cannot read costs its own row's text only.
CREATE FUNCTION pg_temp.text_in(kept json, path text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN json_typeof(kept #> path) = 'string' AND kept #>> path <> '' THEN left(kept #>> path, 50000) END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- The newest message of these speakers: its content, or the texts of its blocks.
CREATE FUNCTION pg_temp.message_in(kept json, path text[], speakers text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found json;
BEGIN
    IF json_typeof(kept #> path) IS DISTINCT FROM 'array' THEN
        RETURN NULL;
    END IF;
    SELECT message INTO found
    FROM json_array_elements(kept #> path) WITH ORDINALITY AS said (message, place)
    WHERE json_typeof(message) = 'object'
      AND (message ->> 'role' = ANY (speakers) OR message ->> 'type' = ANY (speakers))
    ORDER BY place DESC
    LIMIT 1;
    RETURN CASE json_typeof(found -> 'content')
        WHEN 'string' THEN left(found ->> 'content', 50000)
        WHEN 'array' THEN (
            SELECT left(string_agg(CASE json_typeof(block) WHEN 'object' THEN block ->> 'text' END, E'\n'), 50000)
            FROM json_array_elements(found -> 'content') AS block
        )
    END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.figures_in(kept json, path text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result json;
    told jsonb;
BEGIN
    result := kept #> path;
    IF json_typeof(result) IS DISTINCT FROM 'object' THEN
        RETURN NULL;
    END IF;
    told := jsonb_strip_nulls(jsonb_build_object(
        'score', CASE json_typeof(result -> 'score') WHEN 'number' THEN result -> 'score' END,
        'attempts', CASE json_typeof(result -> 'attempts') WHEN 'number' THEN result -> 'attempts' END,
        'kind', left(pg_temp.text_in(result, '{kind}'), 200),
        'language', left(pg_temp.text_in(result, '{language}'), 200),
        'agents', nullif(jsonb_path_query_array(result::jsonb, '$.agents[*].agent_id'), '[]'),
        'metrics', CASE json_typeof(result -> 'metrics') WHEN 'object' THEN result -> 'metrics' END
    ));
    RETURN CASE WHEN told <> '{}' AND octet_length(told::text) <= 20000 THEN told END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- Whether a run brought an answer to what the one before it on its thread asked.
CREATE FUNCTION pg_temp.answers(kwargs json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN kwargs #>> '{command,resume}' IS NOT NULL;
EXCEPTION WHEN others THEN
    RETURN false;
END $$;

-- Of a crew or a flow that stopped for an answer the state has no result.
CREATE FUNCTION pg_temp.has_no_result(kept json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN json_typeof(kept -> 'result') = 'null';
EXCEPTION WHEN others THEN
    RETURN false;
END $$;

UPDATE runs
SET waits = true
WHERE status = 'success'
  AND coalesce(
      -- It was answered, or its thread went on with something else, or it waits still.
      (SELECT pg_temp.answers(other.kwargs)
              OR runs.graph_id IN ('crew', 'flow') AND coalesce(pg_temp.has_no_result(runs.output), false)
       FROM runs AS other
       WHERE other.tenant_id = runs.tenant_id AND other.thread_id = runs.thread_id AND other.seq > runs.seq
       ORDER BY other.seq LIMIT 1),
      (SELECT status = 'interrupted' FROM threads WHERE threads.thread_id = runs.thread_id)
  );

UPDATE runs
SET request = left(coalesce(
        input ->> 'prompt',
        pg_temp.text_in(kwargs, '{input}'),
        pg_temp.text_in(kwargs, '{input,prompt}'),
        pg_temp.text_in(kwargs, '{input,query}'),
        pg_temp.message_in(kwargs, '{input,messages}', '{human,user}')
    ), 50000),
    answer = CASE WHEN status = 'success' AND NOT waits THEN left(coalesce(
        result ->> 'output',
        pg_temp.text_in(output, '{result,output}'),
        pg_temp.text_in(output, '{result}'),
        pg_temp.message_in(output, '{messages}', '{ai,assistant}')
    ), 50000) END,
    figures = CASE WHEN status = 'success' AND NOT waits
                   THEN coalesce(pg_temp.figures_in(result::json, '{}'), pg_temp.figures_in(output, '{result}')) END;

-- Runs that brought an answer, and resumed ones of the foreground, belong to the run before them that brought none.
UPDATE runs
SET continues = began.run_id, request = coalesce(runs.request, began.request)
FROM runs AS began
WHERE (pg_temp.answers(runs.kwargs)
       OR jsonb_typeof(runs.input) = 'object' AND runs.input ->> 'prompt' IS NULL)
  AND began.run_id = (
      SELECT other.run_id
      FROM runs AS other
      WHERE other.tenant_id = runs.tenant_id AND other.thread_id = runs.thread_id AND other.seq < runs.seq
        AND NOT pg_temp.answers(other.kwargs)
        AND (other.input IS NULL OR other.input ->> 'prompt' IS NOT NULL)
      ORDER BY other.seq DESC
      LIMIT 1
  );

DROP FUNCTION pg_temp.text_in, pg_temp.message_in, pg_temp.figures_in, pg_temp.answers, pg_temp.has_no_result;

-- `simple`: requests come in any language. Of ended runs alone: made, and indexed, once and not with each change of how
-- a run stands. Kept and not only indexed, so that newest runs can be gone through for words that most of them have.
ALTER TABLE runs
    ADD COLUMN words tsvector GENERATED ALWAYS AS (
        CASE WHEN finished_at IS NOT NULL
             THEN to_tsvector('simple', coalesce(request, '') || ' ' || coalesce(answer, '')) END
    ) STORED;

CREATE INDEX runs_continued ON runs (continues, seq) WHERE continues IS NOT NULL;
CREATE INDEX runs_by_words ON runs USING gin (words) WHERE finished_at IS NOT NULL;
