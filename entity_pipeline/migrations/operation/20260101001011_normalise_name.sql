-- migrate:up

-- The function of 20260101001020, word for word and before it: the six files that follow build its indexes without
-- keeping writers of a large catalog waiting, and that file then finds them there.
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

-- migrate:down
