-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}, {"alias": "nb", "measure": "commande.nb"}], "filters": [{"field": "produit.categorie", "values": ["Lampe"]}]}
-- columns
--   ca: measure, currency « CA »
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND EXISTS(
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
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
  AND EXISTS(
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
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
  AND EXISTS(
    SELECT
      1
    FROM lignes AS ligne
    LEFT JOIN produits AS produit
      ON ligne.produit_id = produit.id
    WHERE
      ligne.commande_id = commande.id AND produit.categorie = 'Lampe'
  )
