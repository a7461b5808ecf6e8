-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "dimensions": [{"alias": "client", "field": "client.nom"}], "having": [{"measure": "nb", "op": "ge", "values": [2]}], "rollup": {"function": "count"}}
-- columns
--   nombre: measure, integer « Nombre »
-- postgres
WITH mesures AS (
  SELECT
    client.nom AS client,
    client.id AS client_id,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
  GROUP BY
    client.nom,
    client.id
), groupes AS (
  SELECT
    client,
    nb
  FROM mesures
  WHERE
    nb >= 2
)
SELECT
  COUNT(*) AS nombre
FROM groupes
-- mysql
WITH mesures AS (
  SELECT
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS client,
    client.id AS client_id,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
  GROUP BY
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    client.id
), groupes AS (
  SELECT
    client,
    nb
  FROM mesures
  WHERE
    nb >= 2
)
SELECT
  COUNT(*) AS nombre
FROM groupes
-- duckdb
WITH mesures AS (
  SELECT
    client.nom AS client,
    client.id AS client_id,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
  GROUP BY
    client.nom,
    client.id
), groupes AS (
  SELECT
    client,
    nb
  FROM mesures
  WHERE
    nb >= 2
)
SELECT
  COUNT(*) AS nombre
FROM groupes
