-- migrate:up

-- The domain `influencers`: people, their blogs with posts and highlights, categories, and the queue of tasks.
set local lock_timeout = '5s';

create table if not exists public.persons (
    id uuid primary key default gen_random_uuid(),
    full_name text,
    created_at timestamptz not null default clock_timestamp()
);
alter table public.persons enable row level security;

create table if not exists public.blogs (
    id uuid primary key default gen_random_uuid(),
    person_id uuid not null references public.persons (id) on delete cascade,
    platform text not null default 'instagram',
    username text not null check (username = lower(username)),
    platform_id bigint,
    full_name text,
    biography text,
    avatar_url text,
    avatar_key text,
    follower_count bigint,
    following_count bigint,
    media_count bigint,
    is_verified boolean,
    is_business boolean,
    business_category text,
    external_url text,
    er numeric(5, 2),
    er_reels numeric(5, 2),
    er_trend text check (er_trend in ('growing', 'stable', 'declining')),
    posts_per_week numeric(5, 2),
    metrics jsonb not null default '{}',
    scrape_status text not null default 'pending' check (
        scrape_status in ('pending', 'scraping', 'analyzing', 'active', 'private', 'deleted', 'failed')
    ),
    scraped_at timestamptz,
    sightings jsonb not null default '[]',
    ai_insights jsonb,
    ai_confidence numeric(3, 2) check (ai_confidence between 0 and 1),
    ai_analyzed_at timestamptz,
    insights_meta jsonb not null default '{}',
    source text not null default 'manual',
    search_text text generated always as (lower(username || ' ' || left(coalesce(full_name, ''), 80))) stored,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    unique (platform, username)
);
alter table public.blogs enable row level security;
comment on column public.blogs.platform_id is 'The numeric id at the platform, which outlives renames; null until it is known.';
comment on column public.blogs.avatar_key is 'The stored picture, by its key in the bucket.';
comment on column public.blogs.metrics is 'What the measures rest on: posts counted, days, version of the formulas, or why one is null.';
comment on column public.blogs.sightings is 'The last looks that did not find it, or found it again, oldest first.';
comment on column public.blogs.insights_meta is 'Of the insights: model, versions of prompt and schema, input hash, usage event, evidence by field.';
comment on column public.blogs.source is 'Who named it: manual, api, or discover:<hashtag>.';
comment on column public.blogs.search_text is 'What the list of blogs is searched by.';
create unique index if not exists blogs_platform_id on public.blogs (platform, platform_id) where platform_id is not null;
create index if not exists blogs_person on public.blogs (person_id);
-- Holds all that the list of blogs is filtered and ordered by, so that any order reads this index alone.
create index if not exists blogs_listed on public.blogs (scrape_status, follower_count desc nulls last, id)
    include (er, er_reels, er_trend, posts_per_week, source, search_text, scraped_at, created_at);
create index if not exists blogs_due on public.blogs (scraped_at) where scrape_status in ('active', 'analyzing', 'private');
create index if not exists blogs_described on public.blogs (ai_analyzed_at) where ai_analyzed_at is not null;
create index if not exists blogs_avatar on public.blogs (avatar_key) where avatar_key is not null;

create table if not exists public.blog_posts (
    blog_id uuid not null references public.blogs (id) on delete cascade,
    platform_id bigint not null,
    code text not null,
    caption_text text,
    hashtags text[] not null default '{}',
    mentions text[] not null default '{}',
    like_count bigint,
    likes_hidden boolean not null default false,
    comment_count bigint,
    play_count bigint,
    plays_known boolean not null default false,
    media_type text check (media_type in ('photo', 'video', 'album')),
    product_type text,
    duration_s numeric,
    thumbnail_url text,
    thumbnail_key text,
    location_id bigint,
    location_name text,
    location_lat double precision,
    location_lng double precision,
    is_pinned boolean not null default false,
    is_paid_partnership boolean,
    sponsors text[] not null default '{}',
    coauthors bigint[] not null default '{}',
    taken_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    unique (blog_id, platform_id)
);
alter table public.blog_posts enable row level security;
alter table public.blog_posts replica identity using index blog_posts_blog_id_platform_id_key;
comment on column public.blog_posts.plays_known is 'False where play_count is null because no source showed it.';
comment on column public.blog_posts.likes_hidden is 'The owner hides the likes; like_count is null then, never 0.';
create index if not exists blog_posts_thumbnail on public.blog_posts (thumbnail_key) where thumbnail_key is not null;

create table if not exists public.blog_highlights (
    blog_id uuid not null references public.blogs (id) on delete cascade,
    platform_id bigint not null,
    title text,
    media_count integer,
    cover_url text,
    story_mentions text[] not null default '{}',
    story_locations text[] not null default '{}',
    story_links text[] not null default '{}',
    stories_read_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    unique (blog_id, platform_id)
);
alter table public.blog_highlights enable row level security;
alter table public.blog_highlights replica identity using index blog_highlights_blog_id_platform_id_key;

create table if not exists public.categories (
    id integer generated always as identity primary key,
    code text not null unique,
    name text not null unique,
    aliases text[] not null default '{}'
);
alter table public.categories enable row level security;
comment on column public.categories.aliases is 'Other names of the category, as a model or a person may write them.';

create table if not exists public.blog_categories (
    blog_id uuid not null references public.blogs (id) on delete cascade,
    category_id integer not null references public.categories (id) on delete cascade,
    is_primary boolean not null default false,
    unique (blog_id, category_id)
);
alter table public.blog_categories enable row level security;
alter table public.blog_categories replica identity using index blog_categories_blog_id_category_id_key;
create index if not exists blog_categories_category on public.blog_categories (category_id, blog_id);

-- English, Russian, Kazakh and Korean; compared without case, with dashes and the like as spaces.
insert into public.categories (code, name, aliases)
values
    ('beauty', 'Beauty',
        '{cosmetics, makeup, make up, skincare, skin care, haircare, nails, perfume, красота, косметика,
         макияж, уход за кожей, уход за волосами, маникюр, бьюти, сұлулық, косметология, макияж жасау, 뷰티,
         화장품, 메이크업, 스킨케어}'),
    ('fashion', 'Fashion',
        '{style, clothing, clothes, outfits, streetwear, shoes, accessories, мода, стиль, одежда, обувь,
         аксессуары, сән, киім, 패션, 스타일, 옷, 코디}'),
    ('fitness', 'Fitness',
        '{sport, sports, gym, workout, training, yoga, running, bodybuilding, фитнес, спорт, тренировки,
         йога, бег, тренажерный зал, дене шынықтыру, жаттығу, 피트니스, 운동, 헬스, 요가, 스포츠}'),
    ('food', 'Food',
        '{cooking, recipes, baking, restaurants, cafe, coffee, drinks, food and drink, еда, кулинария,
         рецепты, выпечка, рестораны, кафе, напитки, тамақ, тағам, аспаздық, рецепттер, 음식, 요리, 맛집, 레시피, 카페,
         베이킹}'),
    ('travel', 'Travel',
        '{travelling, traveling, tourism, trips, hotels, путешествия, туризм, поездки, отели, саяхат,
         саяхаттау, 여행, 관광, 호텔}'),
    ('lifestyle', 'Lifestyle',
        '{daily life, everyday life, life style, vlog, personal blog, лайфстайл, образ жизни,
         повседневная жизнь, личный блог, блог о жизни, өмір салты, күнделікті өмір, жеке блог, 라이프스타일, 일상,
         브이로그}'),
    ('family', 'Family',
        '{parenting, motherhood, fatherhood, children, kids, baby, moms, mom blog, pregnancy, wedding, семья,
         материнство, родительство, дети, мама, беременность, свадьба, отбасы, ана болу, балалар, ата ана,
         가족, 육아, 엄마, 아기, 임신, 결혼}'),
    ('health', 'Health',
        '{wellness, medicine, nutrition, psychology, mental health, self care, здоровье, медицина, питание,
         психология, психическое здоровье, велнес, денсаулық, тамақтану, 건강, 웰니스, 의학, 심리, 영양}'),
    ('tech', 'Tech',
        '{technology, gadgets, it, software, programming, electronics, science, технологии, гаджеты,
         программирование, электроника, наука, айти, технология, ақпараттық технологиялар, бағдарламалау,
         ғылым, 기술, 테크, 전자제품, 프로그래밍, 과학}'),
    ('business', 'Business',
        '{finance, entrepreneurship, investing, marketing, startups, money, career, smm, бизнес, финансы,
         предпринимательство, инвестиции, маркетинг, карьера, деньги, стартапы, кәсіпкерлік, қаржы,
         инвестициялар, 비즈니스, 금융, 투자, 창업, 마케팅}'),
    ('education', 'Education',
        '{learning, languages, study, books, school, courses, history, образование, обучение, языки, учеба,
         книги, школа, курсы, история, білім, оқу, тілдер, кітаптар, 교육, 공부, 언어, 책, 학습}'),
    ('entertainment', 'Entertainment',
        '{humor, humour, comedy, memes, movies, film, cinema, tv, show business, celebrity, celebrities,
         развлечения, юмор, комедия, мемы, кино, фильмы, шоу бизнес, знаменитости, ойын сауық, әзіл, 엔터테인먼트,
         유머, 코미디, 영화, 드라마, 연예}'),
    ('music', 'Music',
        '{singer, singing, musician, songs, dance, dancing, concerts, k pop, kpop, музыка, певец, певица,
         пение, танцы, концерты, музыкант, ән, әнші, би, 음악, 노래, 가수, 댄스, 춤, 케이팝}'),
    ('gaming', 'Gaming',
        '{games, video games, videogames, esports, e sports, streaming, игры, видеоигры, киберспорт,
         стриминг, гейминг, ойындар, бейнеойындар, 게임, 이스포츠, 게이밍}'),
    ('art', 'Art',
        '{design, photography, painting, drawing, illustration, crafts, handmade, diy, culture, искусство,
         дизайн, фотография, живопись, рисование, иллюстрация, рукоделие, творчество, культура, өнер,
         фотосурет, сурет салу, қолөнер, мәдениет, 예술, 디자인, 사진, 그림, 일러스트, 공예, 문화}'),
    ('home', 'Home',
        '{interior, interior design, home decor, decor, garden, gardening, renovation, diy home, дом,
         интерьер, дизайн интерьера, декор, сад, ремонт, үй, интерьер дизайны, бақша, жөндеу, 홈, 인테리어, 집꾸미기,
         정원}'),
    ('auto', 'Auto',
        '{cars, car, automotive, automobile, motorcycles, motorsport, авто, автомобили, машины, мотоциклы,
         автоспорт, көлік, автокөлік, мотоцикл, 자동차, 차, 오토바이}'),
    ('pets', 'Pets',
        '{animals, dogs, cats, dog, cat, pet care, animal, питомцы, животные, собаки, кошки,
         домашние животные, үй жануарлары, жануарлар, иттер, мысықтар, 반려동물, 동물, 강아지, 고양이}'),
    ('realestate', 'Real estate',
        '{real estate, property, realty, housing, apartments, realtor, недвижимость, квартиры, жилье,
         риелтор, риэлтор, новостройки, жылжымайтын мүлік, пәтерлер, тұрғын үй, 부동산, 아파트, 주택}'),
    ('esoteric', 'Esoteric',
        '{esotericism, astrology, tarot, numerology, horoscope, horoscopes, spirituality, magic, эзотерика,
         астрология, таро, нумерология, гороскоп, гороскопы, духовность, магия, жұлдызнама, руханият, 타로,
         점성술, 운세, 사주, 영성}')
on conflict do nothing;

create table if not exists public.erased_people (
    platform text not null,
    subject_hash text not null,
    erasure_id uuid not null default gen_random_uuid(),
    erased_at timestamptz not null default clock_timestamp(),
    erased_by text not null,
    primary key (platform, subject_hash)
);
alter table public.erased_people enable row level security;
comment on table public.erased_people is 'People who are not to be taken in again. Holds no name: hashes of the numeric id and of the username.';
comment on column public.erased_people.erasure_id is 'The same in all hashes of one person, so that the person can be taken in again by either.';

create table if not exists public.hashtag_discoveries (
    hashtag text not null,
    looked_at timestamptz not null default clock_timestamp(),
    posts integer not null,
    people integer not null,
    known integer not null,
    refused integer not null,
    added integer not null,
    primary key (hashtag, looked_at)
);
alter table public.hashtag_discoveries enable row level security;
comment on column public.hashtag_discoveries.refused is 'People who are private, or below the least followers or posts.';

create table if not exists public.scrape_tasks (
    id bigint generated always as identity primary key,
    task_type text collate "C" not null,
    task_key text collate "C" not null,
    status text collate "C" not null default 'pending' check (status in ('pending', 'running', 'done', 'failed')),
    priority smallint not null check (priority between 1 and 10),
    payload jsonb not null default '{}',
    steps jsonb not null default '{}',
    attempts integer not null default 0 check (attempts >= 0),
    max_attempts integer not null check (max_attempts > 0),
    is_begun boolean not null default false,
    losses integer not null default 0,
    fence bigint not null default 0,
    lease_owner text,
    lease_until timestamptz,
    batch_key text,
    outcome text,
    error_message text,
    next_retry_at timestamptz,
    deferred_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null generated always as (coalesce(deferred_until, next_retry_at, created_at)) stored,
    started_at timestamptz,
    completed_at timestamptz,
    check ((lease_owner is null) = (lease_until is null)),
    check ((status = 'running') = (lease_owner is not null or (batch_key is not null and completed_at is null)))
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01);
alter table public.scrape_tasks enable row level security;
comment on column public.scrape_tasks.task_key is 'what the task is about; unique by type while it is pending or running';
comment on column public.scrape_tasks.fence is 'grows with every claim; a write under an older one is refused';
comment on column public.scrape_tasks.is_begun is 'its worker has begun it; a worker that is lost before says nothing about the task';
comment on column public.scrape_tasks.losses is 'how often its lease ran out because its worker was gone while it did the task';
comment on column public.scrape_tasks.batch_key is 'the outside job that it waits for, or that answered it';
comment on column public.scrape_tasks.deferred_until is 'put off before anything was sent, which is not an attempt';

create unique index if not exists scrape_tasks_open
    on public.scrape_tasks (task_type, task_key) where status in ('pending', 'running');
create index if not exists scrape_tasks_due on public.scrape_tasks (task_type, priority, due_at, id) where status = 'pending';
create index if not exists scrape_tasks_leased on public.scrape_tasks (lease_owner) where lease_owner is not null;
create index if not exists scrape_tasks_batch on public.scrape_tasks (batch_key) where status = 'running';
create index if not exists scrape_tasks_listed on public.scrape_tasks (status, task_type, (-id));

alter table public.scrape_tasks add column if not exists blog_id uuid
    generated always as (case when task_type <> 'discover' then task_key::uuid end) stored
    references public.blogs (id) on delete cascade;
create index if not exists scrape_tasks_blog on public.scrape_tasks (blog_id) where blog_id is not null;
create index if not exists scrape_tasks_open_by_day on public.scrape_tasks (created_at)
    where status in ('pending', 'running');

do $$
begin
    if exists (select from public.pipeline_settings where platform = 'influencers') then
        return;
    end if;
    insert into public.pipeline_settings (platform, is_enabled, settings)
    values ('influencers', false, '{}')
    on conflict do nothing;
    -- Elsewhere updated_by may be a person's uuid, which 'migration' is not.
    if (select atttypid from pg_attribute
        where attrelid = 'public.pipeline_settings'::regclass and attname = 'updated_by') = 'text'::regtype then
        update public.pipeline_settings set updated_by = 'migration' where platform = 'influencers';
    end if;
end
$$;

-- migrate:down
