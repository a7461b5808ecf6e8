-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}], "dimensions": [{"alias": "client", "field": "client.nom"}], "rollup": {"function": "median", "measure": "ca"}}
-- columns
--   median_ca: measure, currency « Médiane de ca »
-- postgres
WITH mesures AS (
  SELECT
    client.nom AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
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
    ca
  FROM mesures
)
SELECT
  PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
    ca) AS median_ca
FROM groupes
-- mysql
WITH mesures AS (
  SELECT
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
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
    ca
  FROM mesures
)
SELECT
  AVG(CASE WHEN 2 * place BETWEEN nombre AND nombre + 2 THEN CAST(ca AS DOUBLE) END) AS median_ca
FROM (
  SELECT
    ca,
    ROW_NUMBER() OVER (ORDER BY ca IS NULL ASC, ca) AS place,
    COUNT(ca) OVER () AS nombre
  FROM (
    SELECT
      ca
    FROM groupes
  ) AS valeurs
) AS places
-- duckdb
WITH mesures AS (
  SELECT
    client.nom AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
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
    ca
  FROM mesures
)
SELECT
  MEDIAN(CAST(ca AS DOUBLE)) AS median_ca
FROM groupes
