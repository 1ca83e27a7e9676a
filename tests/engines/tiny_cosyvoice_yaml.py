"""What the yaml files of tiny CosyVoice models say, by version; `$` marks what differs between versions."""

_CONFORMER = """
        attention_heads: 2
        linear_units: 16
        num_blocks: 1
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0
        normalize_before: True
        input_layer: linear
        pos_enc_layer_type: rel_pos_espnet
        selfattention_layer_type: rel_selfattn
        use_cnn_module: False
        macaron_style: False
        input_size: 16
        output_size: 16"""
_WIDE = _CONFORMER.replace("put_size: 16", "put_size: 512")  # as wide as the real one: the code allows no other
LLM = {
    1: f"""
llm: !new:cosyvoice.llm.llm.TransformerLM
    text_encoder_input_size: 16
    llm_input_size: 16
    llm_output_size: 16
    text_token_size: 60515
    speech_token_size: 64
    spk_embed_dim: 192
    text_encoder: !new:cosyvoice.transformer.encoder.ConformerEncoder{_CONFORMER}
        static_chunk_size: 1
    llm: !new:cosyvoice.transformer.encoder.TransformerEncoder
        input_size: 16
        output_size: 16
        attention_heads: 2
        linear_units: 16
        num_blocks: 1
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0
        input_layer: linear_legacy
        pos_enc_layer_type: rel_pos_espnet
        selfattention_layer_type: rel_selfattn
        static_chunk_size: 1
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_tokenizer
    multilingual: True
    num_languages: 100
    language: en
    task: transcribe
""",
    2: """
qwen_pretrain_path: ''
llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: 32
    llm_output_size: 32
    speech_token_size: 64
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
""",
}
_CFM = """
        in_channels: 240
        n_spks: 1
        spk_emb_dim: 80
        cfm_params: !new:omegaconf.DictConfig
            content: {sigma_min: 1e-06, solver: euler, t_scheduler: cosine, training_cfg_rate: 0.2,
                      inference_cfg_rate: 0.7, reg_loss_type: l1}"""
_ESTIMATOR = """
            in_channels: 320
            out_channels: 80
            channels: [16]
            dropout: 0.0
            attention_head_dim: 8
            n_blocks: 1
            num_mid_blocks: 1
            num_heads: 1
            act_fn: gelu"""
FLOW = {
    1: f"""
flow: !new:cosyvoice.flow.flow.MaskedDiffWithXvec
    input_size: 16
    output_size: 80
    vocab_size: 64
    input_frame_rate: 50
    encoder: !new:cosyvoice.transformer.encoder.ConformerEncoder{_CONFORMER}
    length_regulator: !new:cosyvoice.flow.length_regulator.InterpolateRegulator
        channels: 80
        sampling_ratios: [1]
    decoder: !new:cosyvoice.flow.flow_matching.ConditionalCFM{_CFM}
        estimator: !new:cosyvoice.flow.decoder.ConditionalDecoder{_ESTIMATOR}
""",
    2: f"""
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: 512
    output_size: 80
    vocab_size: 64
    input_frame_rate: 25
    token_mel_ratio: 2
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder{_WIDE}
        static_chunk_size: 25
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM{_CFM}
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder{_ESTIMATOR}
            static_chunk_size: 50
            num_decoding_left_chunks: 1
""",
}
REST = """
sample_rate: $rate
allowed_special: all
hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: 16
    nb_harmonics: 2
    sampling_rate: $rate
    upsample_rates: $ups
    upsample_kernel_sizes: $kernels
    istft_params: {n_fft: 16, hop_len: 4}
    resblock_kernel_sizes: [3]
    resblock_dilation_sizes: [[1]]
    source_resblock_kernel_sizes: $n
    source_resblock_dilation_sizes: $dil
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: 8
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: $fft
    num_mels: 80
    sampling_rate: $rate
    hop_size: $hop
    win_size: $fft
    fmin: 0
    fmax: 8000
    center: False
"""
