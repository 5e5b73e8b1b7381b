-- migrate:up

-- The purpose of each request to Instagram. Constant defaults touch no row, so the lock lasts a moment; and they are true:
-- every row so far, and every row that a process of the former release still inserts, is a profile look of `entities`.
-- Such rows name their target in `username`; read coalesce(target, username).
set local lock_timeout = '5s';

alter table public.instagram_request_log
    add column if not exists domain text not null default 'entities',
    add column if not exists operation text not null default 'profile',
    add column if not exists target text;
comment on table public.instagram_request_log is
    'One row a request, written before it is sent, so that a crash can''t exceed a window. account_key is session:<name>, anonymous:<route>, or unseated for pictures, which have no window.';
comment on column public.instagram_request_log.domain is 'The domain that asked, by its key.';
comment on column public.instagram_request_log.operation is 'What was asked: profile, picture.';
comment on column public.instagram_request_log.target is 'Of what: a username, the path of a picture. Empty in rows of earlier releases: see username.';
comment on column public.instagram_request_log.username is 'The target in rows of earlier releases.';

-- migrate:down
