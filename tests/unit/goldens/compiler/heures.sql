-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "dimensions": [{"alias": "heure", "field": "commande.instant", "grain": "hour_of_day"}], "filters": [{"field": "commande.instant", "op": "not_null"}]}
-- columns
--   heure: dimension, integer, hour_of_day « Heure »
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  CAST(EXTRACT(HOUR FROM commande.instant AT TIME ZONE 'Europe/Paris') AS INT) AS heure,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' AND NOT commande.instant IS NULL
GROUP BY
  CAST(EXTRACT(HOUR FROM commande.instant AT TIME ZONE 'Europe/Paris') AS INT)
ORDER BY
  heure ASC
-- mysql
SELECT
  EXTRACT(HOUR FROM commande.instant) AS heure,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin AND NOT commande.instant IS NULL
GROUP BY
  EXTRACT(HOUR FROM commande.instant)
ORDER BY
  EXTRACT(HOUR FROM commande.instant) IS NULL ASC,
  heure ASC
-- duckdb
SELECT
  EXTRACT(HOUR FROM commande.instant AT TIME ZONE 'Europe/Paris') AS heure,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' AND NOT commande.instant IS NULL
GROUP BY
  EXTRACT(HOUR FROM commande.instant AT TIME ZONE 'Europe/Paris')
ORDER BY
  heure ASC
