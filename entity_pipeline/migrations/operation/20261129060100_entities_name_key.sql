-- migrate:up

-- The key under which two names are the same: marks and invisible letters dropped, widths folded, lower case, letters
-- that Unicode does not take apart written out, `&` as "and", then without white space, punctuation and the signs that
-- people put around brand names. Trade marks go first, or NFKD makes letters of them. translate() and code points in
-- place of lower() and classes: the result, which indexes keep, must be the same under every locale.
create or replace function public.entity_pipeline_name_key(name text) returns text
    language sql immutable strict parallel safe
as $function$
    select regexp_replace(
        replace(replace(replace(replace(replace(
            translate(
                translate(
                    normalize(
                        regexp_replace(
                            normalize(
                                regexp_replace(
                                    translate(name, '™℠', ''), '[\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'),
                                nfkd),
                            '[\u0300-\u036f]', '', 'g'),
                        nfkc),
                    'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
                    || 'ÆÐØÞĐĦŁŊŒŦƏẞΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ'
                    || 'ЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯҐ'
                    || 'ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ',
                    'abcdefghijklmnopqrstuvwxyz'
                    || 'æðøþđħłŋœŧəßαβγδεζηθικλμνξοπρστυφχψω'
                    || 'ђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяґ'
                    || 'աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ'
                ),
                'øđðłħŧŋıə×', 'oddlhtniex'
            ),
            'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), 'ß', 'ss'), '&', 'and'),
        '[\u0009-\u000d\u001c-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e\u0085\u00a9\u00ae\u00b0\u00b7'
            || '\u02da\u1680\u2010-\u2015\u2018\u2019\u201c\u201d\u2022\u2028\u2029\u2212\u30fb]',
        '', 'g')
$function$;

-- migrate:down
