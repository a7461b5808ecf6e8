-- Tables of a small sales base: five that the policy lists, and four that it does not.
CREATE SCHEMA rh;
CREATE TABLE clients (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  nom varchar NOT NULL,
  ville varchar,
  region varchar,
  segment varchar,
  email varchar,
  cree_le timestamp
);
CREATE TABLE commandes (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  client_id int,
  date_commande date,
  statut varchar,
  montant_ht decimal(12,2),
  montant_ttc decimal(12,2),
  remise decimal(12,2)
);
CREATE TABLE lignes_commande (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  commande_id int,
  produit_id int,
  quantite int,
  prix_unitaire decimal(12,2)
);
CREATE TABLE produits (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  nom varchar NOT NULL,
  categorie varchar,
  prix_catalogue decimal(12,2),
  cout decimal(12,2)
);
CREATE TABLE "Chiffre d'affaires mensuel" (
  mois date,
  montant decimal(12,2),
  tenant_id varchar NOT NULL
);
CREATE TABLE salaires (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  employe varchar,
  salaire decimal(12,2)
);
CREATE TABLE utilisateurs (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  login varchar,
  mot_de_passe varchar
);
CREATE TABLE rh.clients (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  nom varchar NOT NULL,
  ville varchar,
  region varchar,
  segment varchar,
  email varchar,
  cree_le timestamp
);
CREATE TABLE rh.salaires (
  id int PRIMARY KEY,
  tenant_id varchar NOT NULL,
  employe varchar,
  salaire decimal(12,2)
);
