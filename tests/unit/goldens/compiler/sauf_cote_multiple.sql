-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "filters": [{"field": "produit.categorie", "op": "ne", "values": ["Lampe"]}]}
-- columns
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND NOT EXISTS(
    SELECT
      1
    FROM lignes AS ligne
    LEFT JOIN produits AS produit
      ON ligne.produit_id = produit.id
    WHERE
      ligne.commande_id = commande.id AND produit.categorie = 'Lampe'
  )
-- mysql
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
  AND NOT EXISTS(
    SELECT
      1
    FROM lignes AS ligne
    LEFT JOIN produits AS produit
      ON ligne.produit_id = produit.id
    WHERE
      ligne.commande_id = commande.id
      AND produit.categorie = 'Lampe' COLLATE utf8mb4_bin
  )
-- duckdb
SELECT
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND NOT EXISTS(
    SELECT
      1
    FROM lignes AS ligne
    LEFT JOIN produits AS produit
      ON ligne.produit_id = produit.id
    WHERE
      ligne.commande_id = commande.id AND produit.categorie = 'Lampe'
  )
