-- migrate:up

-- One row per collection day (UTC) and normalised username: the one source of tag counts.
-- sample_posts holds up to three raw_posts.id.
do $$
begin
    if to_regclass('public.tagged_usernames') is null then
        create table public.tagged_usernames (
            day date not null,
            username text not null,
            posts integer not null check (posts > 0),
            first_seen_at timestamptz not null,
            last_seen_at timestamptz not null,
            sample_posts uuid[] not null default '{}' check (cardinality(sample_posts) <= 3),
            primary key (day, username)
        );
        alter table public.tagged_usernames enable row level security;
    end if;
end
$$;

create index if not exists entity_pipeline_tagged_usernames_username on public.tagged_usernames (username);

-- migrate:down
