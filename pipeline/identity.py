"""Who is who: the people of a store under every spelling, and spellings that may be one person. SQL, for query.

A person is what [actors] ties together, else one actor key. Spellings are compared by marks that they share (an id, an
address, a name), each folded; whoever shares a mark is linked, and what is linked is one proposal. A proposal is for a
human to judge: nothing is tied until it stands in [actors], and two who each stand there are told apart for good.
"""

from __future__ import annotations

from pipeline.spelling import address_of, name_of

# One row for each spelling of an actor in a source.
_SEEN = """
seen AS (
  SELECT a.person, a.actor_key, a.display_name, a.events AS weight, e.source, e.instance, e.actor_id, e.actor_name,
    e.actor_email, e.actor_type, count(*) AS events, min(e.occurred_at) AS first_seen, max(e.occurred_at) AS last_seen
  FROM events AS e JOIN actors AS a USING (actor_key) GROUP BY ALL
),
configured AS (SELECT DISTINCT id AS person, "name" FROM people)"""

# What two spellings may have in common. Programs share names and ids without being one, customers share names.
_MARKS = rf"""
people_seen AS (SELECT * FROM seen WHERE actor_type IN ('user', 'customer', 'unknown')),
texts AS (
  SELECT DISTINCT person, told, text FROM (
    SELECT person, 'e-mail' AS told, actor_email AS text FROM people_seen
    UNION ALL SELECT person, 'id', actor_id FROM people_seen WHERE actor_type <> 'customer' OR contains(actor_id, '@')
    UNION ALL SELECT person, 'name', actor_name FROM people_seen WHERE actor_type <> 'customer'
    UNION ALL SELECT person, 'name', "name" FROM configured WHERE person IN (SELECT person FROM people_seen)
    UNION ALL SELECT person, 'e-mail', person FROM configured WHERE person IN (SELECT person FROM people_seen))
  WHERE text IS NOT NULL
),
marks AS (
  SELECT DISTINCT 'id' AS kind, concat_ws(':', source, coalesce(instance, ''), lower(actor_id)) AS mark, person,
    'id' AS told, actor_id AS text
  FROM people_seen WHERE actor_id IS NOT NULL
  UNION ALL SELECT 'address', {address_of("text")}, person, told, text
  FROM texts WHERE contains(text, '@')
  UNION ALL SELECT 'name',
    {name_of("CASE WHEN contains(text, '@') THEN regexp_extract(text, '^[^@+]*') ELSE text END")} AS mark, person,
    CASE WHEN contains(text, '@') THEN 'e-mail' ELSE told END, text
  FROM texts WHERE length(mark) > 2
),
shared AS (
  SELECT kind, mark, list(DISTINCT person ORDER BY person) AS persons,
    CASE WHEN kind = 'id' AND count(DISTINCT text) = 1 THEN 'same id'
      WHEN kind = 'id' THEN 'ids that differ in case'
      WHEN kind = 'address' AND count(DISTINCT lower(text)) = 1 THEN 'same e-mail'
      WHEN kind = 'address' THEN 'same e-mail but for a tag'
      WHEN count(DISTINCT person) FILTER (told = 'name') > 1 THEN 'same name'
      WHEN count(*) FILTER (told = 'name') > 0 THEN 'name like an e-mail or id'
      ELSE 'id like an e-mail' END || ': ' || array_to_string(list(DISTINCT text ORDER BY text)[1:5], ', ')
      || CASE WHEN count(DISTINCT text) > 5 THEN ' and ' || (count(DISTINCT text) - 5) || ' more' ELSE '' END AS reason
  FROM marks GROUP BY kind, mark
  HAVING count(DISTINCT person) > 1
    AND count(DISTINCT person) > count(DISTINCT person) FILTER (person IN (SELECT person FROM configured))
    AND (kind <> 'name' OR count(*) FILTER (told = 'name') > 0 OR count(DISTINCT told) > 1)
)"""

# Who is linked with whom, over any number of marks: the smallest name spreads along the links until nothing changes.
_GROUPS = """
links AS (
  SELECT DISTINCT unnest([one, persons[1]]) AS person, unnest([persons[1], one]) AS other
  FROM (SELECT persons, unnest(persons) AS one FROM shared)
),
grouped(person, leader) USING KEY (person) AS (
  SELECT DISTINCT person, person FROM links
  UNION
  SELECT l.person, min(g.leader) FROM grouped AS g JOIN links AS l ON l.other = g.person
    JOIN recurring.grouped AS now ON now.person = l.person
  GROUP BY l.person, now.leader HAVING min(g.leader) < now.leader
),
members AS (
  SELECT g.leader, g.person, s.actor_key, s.source, s.display_name, s.events, s.weight, s.last_seen,
    k.person IS NOT NULL AS configured, k."name" AS chosen_name,
    contains(s.actor_key, '@') AND NOT contains(s.actor_key, ':') AS by_mail
  FROM grouped AS g JOIN seen AS s USING (person) LEFT JOIN configured AS k ON k.person = g.person
),
proposed AS (
  SELECT leader, bool_or(configured) AS known,
    arg_max(CASE WHEN configured THEN person ELSE actor_key END, (configured, by_mail, weight, actor_key)) AS person,
    arg_max(coalesce(chosen_name, display_name), (configured, NOT contains(display_name, '@'), weight, actor_key))
      AS "name",
    list(DISTINCT person ORDER BY person) AS persons,
    list(DISTINCT actor_key ORDER BY actor_key) FILTER (NOT configured) AS loose,
    list(DISTINCT source ORDER BY source) AS sources, sum(events)::BIGINT AS events, max(last_seen) AS last_seen
  FROM members GROUP BY leader
)"""

_ALIKE = f"WITH RECURSIVE {_SEEN},{_MARKS},{_GROUPS}"

# One row for each person and source; aliases that no event has are there too, with no events: a slip of the pen shows.
ACTORS = f"""{_ALIKE},
never AS (
  SELECT id AS person, "name", actor_key, contains(actor_key, ':') AS prefixed FROM people
  WHERE actor_key NOT IN (SELECT actor_key FROM seen)
    AND (actor_key <> lower(id) OR id NOT IN (SELECT person FROM seen))
),
spellings AS (
  SELECT person, source, list(DISTINCT actor_id ORDER BY actor_id) FILTER (actor_id IS NOT NULL) AS ids,
    list(DISTINCT actor_name ORDER BY actor_name) FILTER (actor_name IS NOT NULL) AS names,
    list(DISTINCT actor_email ORDER BY actor_email) FILTER (actor_email IS NOT NULL) AS emails,
    list(DISTINCT actor_type ORDER BY actor_type) AS actor_types,
    sum(events)::BIGINT AS events, min(first_seen) AS first_seen, max(last_seen) AS last_seen
  FROM seen GROUP BY person, source
  UNION ALL
  SELECT person, CASE WHEN prefixed THEN split_part(actor_key, ':', 1) END,
    CASE WHEN prefixed THEN [substr(actor_key, strpos(actor_key, ':') + 1)] END, NULL,
    CASE WHEN NOT prefixed THEN [actor_key] END, NULL, 0, NULL, NULL
  FROM never
),
called AS (SELECT person, arg_max(display_name, (weight, actor_key)) AS "name" FROM seen GROUP BY person)
SELECT s.person, coalesce(k."name", c."name") AS "name", k.person IS NOT NULL AS configured, s.source,
  coalesce(s.ids, []) AS ids, coalesce(s.names, []) AS names, coalesce(s.emails, []) AS emails,
  coalesce(s.actor_types, []) AS actor_types, s.events, s.first_seen, s.last_seen,
  p.person AS look_alike_of
FROM spellings AS s LEFT JOIN called AS c USING (person) LEFT JOIN configured AS k ON k.person = s.person
  LEFT JOIN grouped AS g ON g.person = s.person LEFT JOIN proposed AS p ON p.leader = g.leader
ORDER BY lower(coalesce(k."name", c."name")), s.person, s.source, s.ids, s.emails"""

# One row for each proposal, with the lines for auditbook.toml. JSON text is TOML text, but for one character.
_TOML = "replace(to_json({})::VARCHAR, chr(127), '\\u007F')"
_ALIASES = f"'aliases = [' || array_to_string(list_transform(aliases, lambda one: {_TOML.format('one')}), ', ') || ']'"
LOOK_ALIKES = f"""{_ALIKE},
because AS (
  SELECT leader, list(reason ORDER BY reason) AS reasons
  FROM shared JOIN grouped ON grouped.person = shared.persons[1] GROUP BY leader
),
tied AS (
  SELECT p.*, list_sort(list_distinct(list_filter(list_concat(loose, coalesce(
    (SELECT list(actor_key) FROM people WHERE id = p.person), [])), lambda one: one <> lower(p.person)
      AND one <> p.person))) AS aliases
  FROM proposed AS p
)
SELECT p.person, p."name", p.known AS configured, p.persons, b.reasons, p.sources, p.events, p.last_seen,
  CASE WHEN known THEN '# the aliases of [actors.' || {_TOML.format("p.person")} || ']' || chr(10) || {_ALIASES}
    ELSE '[actors.' || {_TOML.format("p.person")} || ']' || chr(10) || 'name = ' || {_TOML.format('p."name"')}
      || chr(10) || {_ALIASES} END AS toml
FROM tied AS p JOIN because AS b USING (leader)
ORDER BY lower(p."name"), p.person"""
