/**
 * All of the identity API: domains, groups, roles on domains and on the whole cloud, roles that imply others, application credentials,
 * the catalogue, and the failures to log in.
 *
 * Why: there were projects with users in them, and no more. Locks: exclusive on the small tables projects, users, roles,
 * role_assignments and tokens, for a moment. Tolerated by: code that knows nothing of the new columns, but for role_assignments, whose
 * primary key is gone: stop the API before.
 */
import type { Knex } from 'knex'

const directory = `
create table domains (
  id text primary key,
  name text not null unique,
  description text not null default '',
  enabled boolean not null default true,
  tags text[] not null default '{}',
  created_at timestamptz not null default now()
);
insert into domains (id, name, description) values ('default', 'Default', 'The default domain');
alter table projects
  add foreign key (domain_id) references domains on delete cascade,
  add parent_id text references projects on delete cascade,
  add tags text[] not null default '{}',
  add extra jsonb not null default '{}';
create index projects_parent on projects (parent_id) where parent_id is not null;
alter table users
  add foreign key (domain_id) references domains on delete cascade,
  alter password_hash drop not null,
  add extra jsonb not null default '{}';
alter table roles add description text not null default '';
create table groups (
  id text primary key,
  domain_id text not null default 'default' references domains on delete cascade,
  name text not null,
  description text not null default '',
  created_at timestamptz not null default now(),
  unique (domain_id, name)
);
create table group_members (
  group_id text not null references groups on delete cascade,
  user_id text not null references users on delete cascade,
  primary key (user_id, group_id)
);
create index group_members_group on group_members (group_id);
`

/** One row says: this user, or the members of this group, have this role there; inherited means: not there, but in all below. */
const assignments = `
create table implied_roles (
  prior_role_id text not null references roles on delete cascade,
  implied_role_id text not null references roles on delete cascade,
  primary key (prior_role_id, implied_role_id),
  check (prior_role_id <> implied_role_id)
);
alter table role_assignments
  drop constraint role_assignments_pkey,
  alter user_id drop not null,
  alter project_id drop not null,
  add group_id text references groups on delete cascade,
  add domain_id text references domains on delete cascade,
  add is_system boolean not null default false,
  add is_inherited boolean not null default false,
  add unique nulls not distinct (user_id, group_id, project_id, domain_id, is_system, role_id, is_inherited),
  add check (num_nonnulls(user_id, group_id) = 1),
  add check (num_nonnulls(project_id, domain_id) + is_system::int = 1),
  add check (not (is_system and is_inherited));
create index role_assignments_group on role_assignments (group_id) where group_id is not null;
create index role_assignments_project on role_assignments (project_id) where project_id is not null;
create index role_assignments_domain on role_assignments (domain_id) where domain_id is not null;
create function with_implied(p_roles text[]) returns setof text language sql stable as $$
  with recursive held(role_id) as (
    select unnest(p_roles)
    union
    select i.implied_role_id from implied_roles i join held h on i.prior_role_id = h.role_id
  )
  select role_id from held
$$;
create function roles_of(p_user text, p_project text, p_domain text, p_system boolean) returns setof text language sql stable as $$
  with recursive line(id, parent_id, domain_id, is_above) as (
    select id, parent_id, domain_id, false from projects where id = p_project
    union all
    select p.id, p.parent_id, p.domain_id, true from projects p join line l on p.id = l.parent_id
  ), mine as (
    select * from role_assignments where user_id = p_user
    union all
    select a.* from group_members m join role_assignments a on a.group_id = m.group_id where m.user_id = p_user
  )
  select with_implied(array(
    select role_id from mine
    where case
      when is_system then p_system
      when is_inherited then project_id in (select id from line where is_above) or domain_id in (select domain_id from line)
      else project_id = p_project or domain_id = p_domain
    end
  ))
$$;
`

const credentials = `
create table application_credentials (
  id text primary key,
  user_id text not null references users on delete cascade,
  project_id text not null references projects on delete cascade,
  name text not null,
  description text not null default '',
  secret_hash text not null,
  unrestricted boolean not null default false,
  access_rules jsonb,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  unique (user_id, name)
);
create index application_credentials_project on application_credentials (project_id);
create table application_credential_roles (
  application_credential_id text not null references application_credentials on delete cascade,
  role_id text not null references roles on delete cascade,
  primary key (application_credential_id, role_id)
);
alter table tokens
  add domain_id text references domains on delete cascade,
  add is_system boolean not null default false,
  add application_credential_id text references application_credentials on delete cascade,
  add parent_audit_id text,
  add check (num_nonnulls(project_id, domain_id) + is_system::int <= 1);
create index tokens_user on tokens (user_id);
create unlogged table login_failures (
  who text primary key,
  failures integer not null,
  forgotten_at timestamptz not null
);
create index login_failures_forgotten on login_failures (forgotten_at);
`

/** Groups are dissolved into their members, what is inherited stands where it holds, implied roles stand too; of one user, or (null) of all. */
const effective = `
create function effective_assignments(p_user text) returns table (
  user_id text, project_id text, domain_id text, is_system boolean, role_id text
) language sql stable as $$
  with recursive held as (
    select a.user_id, a.project_id, a.domain_id, a.is_system, a.is_inherited, a.role_id
    from role_assignments a where a.user_id is not null and (p_user is null or a.user_id = p_user)
    union all
    select m.user_id, a.project_id, a.domain_id, a.is_system, a.is_inherited, a.role_id
    from group_members m join role_assignments a on a.group_id = m.group_id where p_user is null or m.user_id = p_user
  ), below(above_id, id) as (
    select parent_id, id from projects where parent_id is not null
    union all
    select b.above_id, p.id from projects p join below b on p.parent_id = b.id
  ), placed as (
    select h.user_id, h.project_id, h.domain_id, h.is_system, h.role_id from held h where not h.is_inherited
    union
    select h.user_id, b.id, null, false, h.role_id from held h join below b on b.above_id = h.project_id where h.is_inherited
    union
    select h.user_id, p.id, null, false, h.role_id from held h join projects p on p.domain_id = h.domain_id where h.is_inherited
  ), closed as (
    select * from placed
    union
    select c.user_id, c.project_id, c.domain_id, c.is_system, i.implied_role_id
    from closed c join implied_roles i on i.prior_role_id = c.role_id
  )
  select * from closed
$$;
`

/** In plpgsql, which keeps the plan per connection: planning would take longer than the search. */
const bearer = `
create function bearer_of(p_digest bytea) returns table (
  user_id text, user_name text, user_domain_id text, user_domain_name text,
  project_id text, project_name text, project_domain_id text, project_domain_name text,
  domain_id text, domain_name text, is_system boolean, roles text[], methods text[],
  audit_id text, parent_audit_id text, issued_at timestamptz, expires_at timestamptz,
  application_credential_id text, application_credential_name text, is_unrestricted boolean, access_rules jsonb
) language plpgsql stable as $$
begin
  return query
    select t.user_id, u.name, u.domain_id, ud.name, t.project_id, p.name, p.domain_id, pd.name, t.domain_id, d.name, t.is_system,
           held.roles, t.methods, t.audit_id, t.parent_audit_id, t.issued_at, t.expires_at,
           c.id, c.name, coalesce(c.unrestricted, true), c.access_rules
    from tokens t
    join users u on u.id = t.user_id and u.enabled
    join domains ud on ud.id = u.domain_id and ud.enabled
    left join projects p on p.id = t.project_id
    left join domains pd on pd.id = p.domain_id
    left join domains d on d.id = t.domain_id
    left join application_credentials c on c.id = t.application_credential_id
    cross join lateral (
      select array(
        select r.name from roles r
        where r.id in (select roles_of(t.user_id, t.project_id, t.domain_id, t.is_system))
          and (c.id is null or r.id in (select with_implied(array(
                select a.role_id from application_credential_roles a where a.application_credential_id = c.id))))
        order by r.name) as roles
    ) held
    where t.digest = p_digest and t.expires_at > now()
      and p.enabled is not false and pd.enabled is not false and d.enabled is not false
      and (cardinality(held.roles) > 0 or num_nonnulls(t.project_id, t.domain_id) + t.is_system::int = 0);
end $$;
`

const catalogue = `
create table regions (
  id text primary key,
  description text not null default '',
  parent_region_id text references regions,
  created_at timestamptz not null default now()
);
create table services (
  id text primary key,
  type text not null,
  name text not null default '',
  description text not null default '',
  enabled boolean not null default true,
  created_at timestamptz not null default clock_timestamp()
);
create table endpoints (
  id text primary key,
  service_id text not null references services on delete cascade,
  region_id text references regions,
  interface text not null check (interface in ('public', 'internal', 'admin')),
  url text not null,
  name text not null default '',
  enabled boolean not null default true,
  created_at timestamptz not null default clock_timestamp()
);
create index endpoints_service on endpoints (service_id);
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [directory, assignments, effective, credentials, bearer, catalogue])
    await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}
