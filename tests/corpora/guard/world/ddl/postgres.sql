-- Tables of a small sales base: five that the policy lists, and four that it does not.
CREATE SCHEMA rh;
CREATE TABLE clients (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  nom text NOT NULL,
  ville text,
  region text,
  segment text,
  email text,
  cree_le timestamp
);
CREATE TABLE commandes (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  client_id int,
  date_commande date,
  statut text,
  montant_ht numeric(12,2),
  montant_ttc numeric(12,2),
  remise numeric(12,2)
);
CREATE TABLE lignes_commande (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  commande_id int,
  produit_id int,
  quantite int,
  prix_unitaire numeric(12,2)
);
CREATE TABLE produits (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  nom text NOT NULL,
  categorie text,
  prix_catalogue numeric(12,2),
  cout numeric(12,2)
);
CREATE TABLE "Chiffre d'affaires mensuel" (
  mois date,
  montant numeric(12,2),
  tenant_id text NOT NULL
);
CREATE TABLE salaires (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  employe text,
  salaire numeric(12,2)
);
CREATE TABLE utilisateurs (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  login text,
  mot_de_passe text
);
CREATE TABLE rh.clients (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  nom text NOT NULL,
  ville text,
  region text,
  segment text,
  email text,
  cree_le timestamp
);
CREATE TABLE rh.salaires (
  id int PRIMARY KEY,
  tenant_id text NOT NULL,
  employe text,
  salaire numeric(12,2)
);
