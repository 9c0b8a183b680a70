"""A model type that transformers knows -> its configuration at toy size.

The default configuration, every known size made small. Where layers are of several kinds, there is
one of each. What that leaves contradictory, a family has in `families.EXCEPTIONS`.
"""

from __future__ import annotations

from typing import Any

from tests.architectures.families import EXCEPTIONS

VOCABULARY = 64
_WIDTH, _HEADS, _HEAD, _EXPERTS = 32, 4, 8, 4

# Names of sizes, by what they are set to; a size that is smaller by default stays.
_SIZES: tuple[tuple[int, str], ...] = (
    (VOCABULARY, "vocab_size vocab_size_per_layer_input decoder_vocab_size unpadded_vocab_size"),
    (2, """num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers
        num_encoder_layers num_decoder_layers num_blocks num_key_value_heads num_kv_heads
        swa_num_key_value_heads num_experts_per_tok num_experts_per_token moe_topk moe_k n_group
        num_expert_group linear_num_key_heads n_groups index_n_heads"""),
    (_HEADS, """num_attention_heads n_head n_heads num_heads encoder_attention_heads attention_heads
        decoder_attention_heads num_encoder_attention_heads num_decoder_attention_heads
        swa_num_attention_heads linear_num_value_heads linear_num_heads num_query_groups"""),
    (_EXPERTS, "num_experts n_routed_experts num_local_experts moe_num_experts zero_expert_num"),
    (1, "topk_group num_shared_experts n_shared_experts moe_num_shared_experts"),
    (_HEAD, """head_dim qk_head_dim swa_head_dim attention_head_dim linear_head_dim kv_channels
        linear_key_head_dim linear_value_head_dim mamba_d_head mamba_head_dim mamba_headdim dim_head
        mamba_d_state ssm_state_size state_size qk_rope_head_dim qk_nope_head_dim v_head_dim
        kv_lora_rank q_lora_rank time_step_rank mamba_dt_rank mamba_n_heads d_head rotary_dim
        attention_head_size laurel_rank hidden_size_per_layer_input adapter_rank o_lora_rank
        pronunciation_embed_dim shape_embed_dim router_hidden_size"""),
    (16, "mamba_chunk_size index_head_dim chunk_size"),
    (_WIDTH, """hidden_size n_embd d_model embedding_size embedding_dim word_embed_proj_dim
        lru_width attention_hidden_size emb_dim input_embedding_size output_embedding_size
        moe_intermediate_size shared_expert_intermediate_size shared_intermediate_size
        expert_ffn_hidden_size shared_experts_intermediate_size
        moe_shared_expert_intermediate_size"""),
    (48, """intermediate_size decoder_ffn_dim encoder_ffn_dim ffn_dim ffn_hidden_size d_inner dim_ff
        dff intermediate_size_mlp dense_intermediate_size feed_forward_size n_inner"""),
    (128, "max_position_embeddings n_positions n_ctx max_seq_len context_length"),
)  # fmt: skip
_SMALL = {name: size for size, names in _SIZES for name in names.split()}
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks")
_KINDS = ("layer_types", "layers_block_type", "block_types")
_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id")


def small_config(kind: str) -> Any:
    """The configuration of a model type, at toy size."""
    from transformers import CONFIG_MAPPING

    default = CONFIG_MAPPING[kind]()
    return CONFIG_MAPPING[kind](**{**_small(vars(default)), **EXCEPTIONS.get(kind, {})})


def _small(default: dict[str, Any]) -> dict[str, Any]:
    """The values of a configuration that are to be others."""
    found: dict[str, Any] = {}
    for name, value in default.items():
        if type(value) is int and name in _SMALL and value > _SMALL[name]:
            found[name] = _SMALL[name]
        elif name in _TOKENS and isinstance(value, (int, list)):
            found[name] = _TOKENS.index(name)
    if "kv_lora_rank" in default:  # each head has keys of its own, in two parts
        found |= {"num_key_value_heads": _HEADS, "qk_head_dim": 2 * _HEAD}
    if default.get("is_decoder") is False:
        found["is_decoder"] = True
    kinds = next((default[name] for name in _KINDS if default.get(name)), None)
    if kinds:
        each = list(dict.fromkeys(kinds))
        found |= {name: each for name in _KINDS if default.get(name)}
        found |= {name: len(each) for name in _LAYERS if name in found}
    return found


def small_model(kind: str) -> Any:
    """The causal model of a type at toy size, in evaluation mode; its weights are random.

    Every process that builds it has the same weights.
    """
    import torch
    import transformers

    torch.manual_seed(0)
    return getattr(transformers, causal_models()[kind])(small_config(kind)).eval()


def causal_models() -> dict[str, str]:
    """The name of the class that transformers has for each type of causal model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
