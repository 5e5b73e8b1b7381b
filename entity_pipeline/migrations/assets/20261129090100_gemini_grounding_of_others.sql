-- migrate:up

-- Rows of other pipelines whose `grounded` is false count against the cap if they searched all the same, or do not say
-- whether they did. The rule is that of `core/gemini/grounding_of_others.py`; a test holds the two equal.
create or replace function public.entity_pipeline_says_grounded(
    of_model text, searches bigint, tool_tokens bigint, about jsonb
)
    returns boolean
    language sql immutable parallel safe
as $function$
    select case
        when searches > 0 or tool_tokens > 0 then true
        when about ? 'grounded' and lower(about ->> 'grounded') in ('true', 'false')
            then lower(about ->> 'grounded') = 'true'
        when about ? 'tools' and jsonb_typeof(about -> 'tools') in ('array', 'object', 'string')
            then (about ->> 'tools') ~* 'google_?search'
        when searches = 0 then false
        -- A regular expression would take five times as long, for every row of the day.
        when position('embedding' in of_model) > 0 or position('imagen' in of_model) > 0
            or position('veo' in of_model) > 0 or position('-tts' in of_model) > 0 then false
    end
$function$;

-- migrate:down
