-- plan
{"kind": "rows", "entity": "client", "columns": [{"alias": "nom", "field": "client.nom"}], "filters": [{"field": "client.nom", "op": "starts_with", "values": ["ELI"]}]}
-- columns
--   nom: column, text « Client »
-- postgres
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  LOWER(
    TRANSLATE(
      CAST(client.nom AS TEXT),
      'ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ',
      'AAAAAACEEEEIIIINOOOOOUUUUYaaaaaaceeeeiiiinooooouuuuyy'
    )
  ) LIKE 'eli%'
ORDER BY
  client.id
-- mysql
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_general_ci LIKE 'ELI%'
ORDER BY
  client.id
-- duckdb
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  LOWER(
    TRANSLATE(
      client.nom,
      'ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ',
      'AAAAAACEEEEIIIINOOOOOUUUUYaaaaaaceeeeiiiinooooouuuuyy'
    )
  ) LIKE 'eli%'
ORDER BY
  client.id
