-- migrate:up

-- The key under which two names are the same: marks dropped, widths folded, lower case, then without white space,
-- ASCII punctuation and the signs that people put around brand names. Trade marks go first, or NFKD makes letters
-- of them. translate() and code points in place of lower() and classes: the result, which indexes keep, must be the
-- same under every locale, and lower() leaves Ø alone under "C".
create or replace function public.entity_pipeline_normalise_name(name text) returns text
    language sql immutable strict parallel safe
as $function$
    select regexp_replace(
        translate(
            normalize(regexp_replace(normalize(translate(name, '™℠', ''), nfkd), '[\u0300-\u036f]', '', 'g'), nfkc),
            'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
            || 'ÆÐØÞĐĦŁŊŒŦƏẞΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ'
            || 'ЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯҐ'
            || 'ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ',
            'abcdefghijklmnopqrstuvwxyz'
            || 'æðøþđħłŋœŧəßαβγδεζηθικλμνξοπρστυφχψω'
            || 'ђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяґ'
            || 'աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ'
        ),
        '[\u0009-\u000d\u001c-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e\u0085\u00a9\u00ae\u00b0\u00b7'
            || '\u02da\u1680\u2013\u2014\u2018\u2019\u201c\u201d\u2028\u2029\u30fb]',
        '', 'g')
$function$;

-- In one transaction, not concurrently: the catalog has thousands of rows, and each index takes milliseconds.
set local lock_timeout = '5s';

create index if not exists entity_pipeline_artists_name_en
    on public.artists (public.entity_pipeline_normalise_name(name_en));
create index if not exists entity_pipeline_artists_name_ko
    on public.artists (public.entity_pipeline_normalise_name(name_ko));
create index if not exists entity_pipeline_brands_name_en
    on public.brands (public.entity_pipeline_normalise_name(name_en));
create index if not exists entity_pipeline_brands_name_ko
    on public.brands (public.entity_pipeline_normalise_name(name_ko));
create index if not exists entity_pipeline_groups_name_en
    on public.groups (public.entity_pipeline_normalise_name(name_en));
create index if not exists entity_pipeline_groups_name_ko
    on public.groups (public.entity_pipeline_normalise_name(name_ko));

-- migrate:down
