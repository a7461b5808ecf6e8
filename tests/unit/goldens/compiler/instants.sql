-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "period": {"kind": "between", "start": "2026-10-25", "end": "2026-10-25"}, "time": "commande.instant"}
-- columns
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND commande.instant >= CAST('2026-10-25 00:00:00' AS TIMESTAMP) AT TIME ZONE 'Europe/Paris'
  AND commande.instant < CAST('2026-10-26 00:00:00' AS TIMESTAMP) AT TIME ZONE 'Europe/Paris'
-- mysql
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
  AND commande.instant >= CAST('2026-10-25' AS DATE)
  AND commande.instant < CAST('2026-10-26' AS DATE)
-- duckdb
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND commande.instant >= CAST('2026-10-25 00:00:00' AS TIMESTAMP) AT TIME ZONE 'Europe/Paris'
  AND commande.instant < CAST('2026-10-26 00:00:00' AS TIMESTAMP) AT TIME ZONE 'Europe/Paris'
