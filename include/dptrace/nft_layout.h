/* struct dpt_nft_layout says where nf_tables keeps what names a rule: offsets in the structs of that module. User space
 * reads them from the module's BTF, which may be loaded after the programs are, or knows them (5.10 has no BTF of
 * modules).
 */
#pragma once

#include <linux/types.h>

struct dpt_nft_layout {
	__u32 packet_state; /* nft_pktinfo: the struct nf_hook_state */
	__u32 chain_table;  /* nft_chain */
	__u32 chain_handle;
	__u32 chain_name;
	__u32 policy_before; /* nft_base_chain: the policy is so many bytes before the struct nft_chain in it */
	__u32 table_handle;  /* nft_table */
	__u32 table_family;  /* 16 bits, of which the low 6 are the family */
	__u32 table_name;
	__u32 net_seq;	  /* struct net: the generation of the rules; 0: it is in struct nftables_pernet */
	__u32 pernet_seq; /* struct nftables_pernet; 0: it is not known */
	__u64 pernet_id;  /* address of nf_tables_net_id, the number of struct nftables_pernet in struct net */
};
